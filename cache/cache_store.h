#pragma once
// Caches between pipelines: key -> an immutable tree that becomes a lower layer of the next workspace, so a
// hit costs nothing. Entries of one project never meet those of another. Any thread, any number of processes.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/base/layered_tree.h"

namespace runner::cache {

/// Why a lookup missed, for the log.
enum class MissReason : std::uint8_t { never_saved, damaged };

/// A found entry. While it lives, garbage collection leaves its trees alone.
class CacheHit {
 public:
  virtual ~CacheHit() = default;
  virtual const std::string& key() const noexcept = 0;
  /// Top first; each is an immutable directory tree.
  virtual const std::vector<std::filesystem::path>& layers() const noexcept = 0;
  virtual TimePoint saved_at() const noexcept = 0;
  virtual std::uint64_t bytes() const noexcept = 0;
  virtual std::uint64_t files() const noexcept = 0;
};

struct CacheLookup {
  std::unique_ptr<CacheHit> hit;                           // null = miss
  std::vector<std::pair<std::string, MissReason>> missed;  // keys tried before, in order
};

struct CacheSave {
  enum class Result : std::uint8_t { saved, up_to_date, nothing_matched } result = Result::nothing_matched;
  std::uint64_t files = 0, bytes = 0;
};

class CacheStore {
 public:
  virtual ~CacheStore() = default;
  /// The first of `keys` that has an entry. `scope` is the project (and protection) the entry belongs to.
  /// A damaged entry is a miss, never an error. Blocks for a few system calls.
  virtual CacheLookup find(std::string_view scope, std::span<const std::string> keys) = 0;
  /// Replaces the entry of `key` by the selected content of a workspace. Files in `upper` (the job's own) may
  /// be moved out of it: the workspace is not used afterwards for these paths. The new entry is seen whole or
  /// not at all; of two that save at once, the later one wins. `restored` is the hit this job started from,
  /// if any: nothing changed under the paths since means up_to_date and no work.
  virtual CacheSave save(std::string_view scope, const std::string& key, const LayeredTree& tree,
                         const Selection& selection, const std::filesystem::path& upper,
                         const CacheHit* restored) = 0;
};

/// Entries as directories below `root`, made by rename on one file system.
std::unique_ptr<CacheStore> make_cache_store(std::filesystem::path root, const Clock& clock);

}  // namespace runner::cache
