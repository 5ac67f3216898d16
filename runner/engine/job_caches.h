#pragma once
// The caches of one run: restored as layers before the job, saved from its workspace after it.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/caches.h"
#include "pipelines/plan.h"
#include "runner/base/clock.h"
#include "runner/engine/cache_keys.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_log.h"

namespace runner::engine {

/// A workspace after its job.
struct TakenFrom {
  std::vector<std::filesystem::path> layers;  // top first; the first is the job's own
  std::function<bool(std::string_view path)> is_tracked;
  std::string root;  // where the job saw it
};

/// Trouble with a cache is a warning in the log and never fails the job. One thread. Everything it is given
/// must outlive it; layers stay in the store while it lives.
class JobCaches {
 public:
  JobCaches(cache::Caches& caches, std::string scope, const std::vector<pipelines::CacheSpec>& specs,
            const JobEnvironment& environment, const CacheKeyFacts& facts, const Clock& clock, JobLog& log);

  bool empty() const noexcept { return entries_.empty(); }
  /// Looks every cache up. Returns the layers, top first: a later cache lies above an earlier one. `under`
  /// is what they will lie on. Throws Error{invalid_input} for a policy that is none.
  std::vector<std::filesystem::path> restore(std::span<const std::filesystem::path> under);
  /// Of those that restore() looked up.
  std::uint64_t hits() const noexcept { return hits_; }
  std::uint64_t misses() const noexcept { return misses_; }
  /// What save() will take, as patterns; "" among them stands for everything.
  std::vector<std::string> to_save(bool success) const;
  /// Saves those whose `when` fits; `origin` tells whose they are. Nobody else takes anything of the
  /// workspace afterwards. Returns whether anything was written to the store.
  bool save(const TakenFrom& from, const std::function<std::string()>& origin, bool success);

 private:
  struct Entry {
    const pipelines::CacheSpec* spec = nullptr;
    CacheKeys keys;
    std::string policy;
    cache::HeldEntry hit;
  };
  bool is_due(const Entry& entry, bool success) const;
  void check_policy(const Entry& entry) const;
  void look_up(Entry& entry);
  void tell_misses(const Entry& entry, const std::vector<cache::CacheMiss>& missed);
  void tell_hit(const Entry& entry);
  std::vector<std::filesystem::path> layers_of(Entry& entry, std::span<const std::filesystem::path> under);
  bool save_one(Entry& entry, const TakenFrom& from, const std::string& origin, bool may_move);

  cache::Caches& caches_;
  const std::string scope_;
  const JobEnvironment& environment_;
  const Clock& clock_;
  JobLog& log_;
  std::vector<Entry> entries_;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace runner::engine
