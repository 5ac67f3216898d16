#include "pipelines/map_builder.h"

#include <functional>

namespace runner::pipelines {
namespace {
constexpr std::size_t kIndexFrom = 16;

std::size_t hash_of(std::string_view key) {
  return std::hash<std::string_view>{}(key);
}
}  // namespace

MapEntry* MapBuilder::find(std::string_view key) {
  if (entries_.size() < kIndexFrom) {
    for (MapEntry& entry : entries_) {
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  if (indexed_ != entries_.size()) grow_index();
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash_of(key) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    MapEntry& entry = entries_[slots_[slot] - 1];
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

void MapBuilder::grow_index() {
  if (slots_.size() < entries_.size() * 2) {
    std::size_t size = 64;
    while (size < entries_.size() * 4) size *= 2;
    slots_.assign(size, 0);
    indexed_ = 0;
  }
  const std::size_t mask = slots_.size() - 1;
  for (; indexed_ < entries_.size(); ++indexed_) {
    std::size_t slot = hash_of(entries_[indexed_].key) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(indexed_ + 1);
  }
}

void MapBuilder::add(const MapEntry& entry) {
  entries_.push_back(entry);
}

void MapBuilder::set(const MapEntry& entry) {
  if (MapEntry* known = find(entry.key)) {
    *known = entry;
  } else {
    add(entry);
  }
}

}  // namespace runner::pipelines
