#pragma once
// Caches between pipelines, as the dialect has them: found by key, saved from a job's workspace. A hit is a
// stack of layers for the next workspace, so it costs nothing; a save moves what the job changed into one new
// layer on top of the stack it started from. Any thread, any number of processes.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/layer_store.h"

namespace runner::cache {

enum class Miss : std::uint8_t { never_saved, key_changed, evicted, damaged };

/// Why a key was not there.
struct CacheMiss {
  std::string key;
  Miss reason = Miss::never_saved;
  /// key_changed: the input that differs from the newest entry of the family, "package-lock.json changed";
  /// evicted: when and why; damaged: what is wrong. One phrase, may be empty.
  std::string detail;
};

struct FoundCache {
  HeldEntry hit;                  // null = miss
  std::vector<CacheMiss> missed;  // keys tried before, in order
};

/// What a cache takes of a workspace.
struct CacheContent {
  std::vector<std::string> paths;  // glob-D patterns, expanded; from the root, or absolute below `root`
  bool untracked = false;          // every file git does not track as well
  std::function<bool(std::string_view path)> is_tracked;  // for untracked; may be empty: nothing is
  std::string root;                                       // where the job saw the workspace
};

/// A workspace after its job: nothing runs in it and nothing is mounted.
struct CacheSource {
  std::filesystem::path upper;                // the job's own layer; with copies the whole workspace
  std::vector<std::filesystem::path> lowers;  // what it was stacked on, top first; with copies empty
  /// Files may be moved out of `upper`: nobody reads these paths afterwards. Else they are linked.
  bool may_move = false;
};

struct SavedCache {
  enum class Result : std::uint8_t { saved, up_to_date, nothing_matched } result = Result::nothing_matched;
  std::uint64_t files = 0, bytes = 0;               // of the entry
  std::uint64_t changed = 0, removed = 0;           // files against what the job started from
  std::vector<std::string> without_match, outside;  // patterns: matched nothing; leave the root, skipped
};

class Caches {
 public:
  explicit Caches(LayerStore& layers) noexcept : layers_(layers) {}

  /// The first of `keys` that has an entry. `facts` are of the first key: when it is missing they tell why.
  FoundCache find(const std::string& scope, std::span<const std::string> keys, const EntryFacts& facts);
  /// The same without noting a use: for those who only ask.
  FoundCache peek(const std::string& scope, std::span<const std::string> keys, const EntryFacts& facts);

  /// Replaces the entry of `key` by the selected content. `restored` is the hit this job started from (of any
  /// key), null without one. Nothing changed under the paths and the same key: up_to_date, and nothing is
  /// written. The new entry is seen whole or not at all; of two that save at once the later one wins.
  ///
  /// Nothing of an entry hides what is not of the entry: whiteouts are kept only where they hide something of
  /// the stack below them. What changed is found in `upper` alone, so the cost is that of the change; what
  /// lowers that are not of the hit show under the paths (tracked files) is looked at by name. Throws Error.
  SavedCache save(const std::string& scope, const std::string& key, const EntryFacts& facts,
                  const CacheSource& source, const CacheContent& content, const HeldEntry& restored);

  LayerStore& layers() noexcept { return layers_; }

 private:
  LayerStore& layers_;
};

/// The layers of `entry` as lowers of a workspace, top first. When something they hide is there in a lower
/// under them (a file that was deleted from the cache and is tracked by a later commit), the stack is
/// replaced by one layer that hides nothing, in the store as well. `under` is what will lie below. Throws
/// Error. `entry` is exchanged for what is held now.
std::vector<std::filesystem::path> workspace_layers(LayerStore& store, HeldEntry& entry,
                                                    std::span<const std::filesystem::path> under);

/// Makes long stacks short: deltas into one, or all into one when the deltas outweigh the base. Nothing when
/// the stack is short. By links; other processes go on with what they hold. `stop` is asked at each file:
/// true throws Error{cancelled}. Throws Error.
void squash_entry(LayerStore& store, const Entry& entry, const Background& background = {});

}  // namespace runner::cache
