#pragma once
// The caches of one run: restored as layers before the job, saved from its workspace after it.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cache/cache_store.h"
#include "pipelines/plan.h"
#include "runner/base/clock.h"
#include "runner/engine/cache_keys.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_log.h"
#include "runner/engine/select.h"

namespace runner::engine {

/// One thread. Everything it is given must outlive it.
class JobCaches {
 public:
  JobCaches(cache::CacheStore& store, std::string scope, const std::vector<pipelines::CacheSpec>& specs,
            const JobEnvironment& environment, const CacheKeyFacts& facts, const Clock& clock, JobLog& log);

  bool empty() const noexcept { return entries_.empty(); }
  /// Looks every cache up. Returns the layers, top first: a later cache lies above an earlier one.
  std::vector<std::filesystem::path> restore();
  /// Saves those whose `when` fits. `base` gives root and tracking; `scratch` is an empty private directory.
  /// Throws Error when a save fails.
  void save(const LayeredTree& tree, const std::filesystem::path& upper, const SelectSpec& base,
            const std::filesystem::path& scratch, bool success);

 private:
  struct Entry {
    const pipelines::CacheSpec* spec = nullptr;
    CacheKeys keys;
    std::string policy;
    std::unique_ptr<cache::CacheHit> hit;
  };
  void look_up(Entry& entry);
  void store_one(Entry& entry, const LayeredTree& tree, const Selection& selection,
                 const std::filesystem::path& upper);

  cache::CacheStore& store_;
  const std::string scope_;
  const JobEnvironment& environment_;
  const Clock& clock_;
  JobLog& log_;
  std::vector<Entry> entries_;
};

}  // namespace runner::engine
