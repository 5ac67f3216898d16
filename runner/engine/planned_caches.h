#pragma once
// The caches of a planned job with their keys: as a run of it has them, and without one. Blocks on the
// checkout. Any thread.

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/plan.h"
#include "runner/engine/cache_keys.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_environment.h"

namespace runner::engine {

/// What cache_keys() asks, answered by a job's variables and its checkout; both must outlive it.
CacheKeyFacts cache_key_facts(const JobEnvironment& environment, const Checkout& checkout,
                              bool ref_protected);

struct PlannedCache {
  const pipelines::CacheSpec* spec = nullptr;  // of the request's plan
  CacheKeys keys;
  std::string policy;  // expanded
};

/// Of a job that would start now. What other jobs hand over by dotenv reports is not known yet, and those
/// variables are empty. `scratch` is an empty private directory, for variables that are files. Throws Error.
std::vector<PlannedCache> planned_caches(const PipelineRequest& request, std::size_t job,
                                         const std::filesystem::path& scratch);

}  // namespace runner::engine
