#pragma once
// What a host is told about an attempt, as text for a process that runs it. SECRET: values of masked
// variables are in it. Between two processes of one binary: no other reads it. Pure, but for the entries that
// are looked up.

#include <memory>
#include <string>
#include <string_view>

#include "cache/workspace.h"
#include "runner/engine/job_order.h"
#include "runner/engine/outcome_text.h"

namespace runner::engine {

/// Its plan has this one job, at index 0. `request->checkout` is the reader's to make, by `request->recipe`.
struct ReceivedOrder {
  std::unique_ptr<PipelineRequest> request;
  JobOrder order;  // of that request
  EngineOptions options;
  cache::MountMode mount_mode = cache::MountMode::copy;
};

std::string freeze(const JobOrder& order, const EngineOptions& options, cache::MountMode mount_mode);
/// Throws Error{corrupt}.
ReceivedOrder thaw_order(std::string_view text, const FindEntry& find);

}  // namespace runner::engine
