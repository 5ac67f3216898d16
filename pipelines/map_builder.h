#pragma once
// Entries of a mapping while it is being put together: keys once, in order of first appearance, found in
// constant time. Keys are views: their texts must live as long as the arena. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "pipelines/node.h"

namespace runner::pipelines {

class MapBuilder {
 public:
  /// The entry of a key, nullptr when there is none yet. Valid until the next add().
  MapEntry* find(std::string_view key);
  /// Index of an entry that find() gave.
  std::size_t index_of(const MapEntry* entry) const {
    return static_cast<std::size_t>(entry - entries_.data());
  }
  /// The key must not be there yet.
  void add(const MapEntry& entry);
  /// Replaces the entry of the same key in its place, or adds one at the end.
  void set(const MapEntry& entry);

  void reserve(std::size_t count) { entries_.reserve(count); }
  const std::vector<MapEntry>& entries() const noexcept { return entries_; }

 private:
  void grow_index();

  std::vector<MapEntry> entries_;
  std::vector<std::uint32_t> slots_;  // entry number plus one, by hash; only once there are many entries
  std::size_t indexed_ = 0;           // entries that the index knows
};

}  // namespace runner::pipelines
