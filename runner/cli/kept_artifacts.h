#pragma once
// Artifacts that earlier runs of this project left, for jobs whose sources do not run this time.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "pipelines/plan.h"
#include "runner/cli/selection.h"

namespace runner::cli {

struct KeptArtifacts {
  std::map<std::size_t, cache::HeldEntry> found;  // by index into plan.jobs
  std::vector<std::size_t> missing;               // nothing is there of these, in plan order
  std::map<std::size_t, std::string> lost;        // why what was left cannot be had
};

/// The jobs that leave something for the chosen ones and do not run, in plan order.
std::vector<std::size_t> absent_sources(const pipelines::Plan& plan, const Chosen& chosen);

/// What earlier runs left of `absent`. Blocks on the disk.
KeptArtifacts find_kept_artifacts(cache::LayerStore& store, const std::string& scope,
                                  const pipelines::Plan& plan, const std::vector<std::size_t>& absent,
                                  TimePoint now);

/// One sentence for each run whose artifacts are taken: "artifacts of 'build' are those of run 12, 5 min
/// ago".
std::vector<std::string> describe(const KeptArtifacts& kept, const pipelines::Plan& plan, TimePoint now);

/// "'a', 'b', 'c', 'd', 'e' and 7 more"
std::string first_of(std::vector<std::string> names);

/// The jobs to name so that `chosen` run with artifacts made by the same run, in plan order.
std::vector<std::string> with_their_sources(const pipelines::Plan& plan, const Chosen& chosen);

}  // namespace runner::cli
