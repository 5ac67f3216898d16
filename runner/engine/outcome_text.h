#pragma once
// What attempts left, as text: for the store, which outlives an engine, and for an engine that did not run
// them itself. Pure, but for the entries that are looked up. Any thread.
//
// The text is one JSON object; texts that are no UTF-8 are {"bytes": TEXT} as in pipelines/frozen_plan.h.
// What is not there has its default; unknown keys are passed over, an older engine does without them.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/engine/job_order.h"

namespace runner::engine {

/// All that is known of an attempt beside its row.
struct JobResult {
  std::size_t slot = 0;
  bool archiving = false;  // what it left is not yet in an archive
  Collected collected;
  std::string lost;  // why the artifacts are gone
  std::optional<double> coverage;
  std::vector<std::string> warnings;
  std::string environment_url;
  std::optional<ArchiveView> archive, reports;
};

/// The entry of this name, held; null, and `why`, when it is gone. May be empty: all are gone.
using FindEntry = std::function<cache::HeldEntry(const cache::EntryName& name, std::string& why)>;

std::string freeze(const JobResult& result);
/// Throws Error{corrupt}.
JobResult thaw_result(std::string_view text, const FindEntry& find);

/// Its `collected` is without reports afterwards; that there are some is in `reports`.
std::string freeze(const JobOutcome& outcome);
JobOutcome thaw_outcome(std::string_view text, const FindEntry& find);

std::string freeze(const Archives& archives);
Archives thaw_archives(std::string_view text);

}  // namespace runner::engine
