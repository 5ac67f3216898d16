#include "pipelines/map_builder.h"

namespace runner::pipelines {
namespace {
constexpr std::size_t kIndexFrom = 16;
}

MapEntry* MapBuilder::find(std::string_view key) {
  if (entries_.size() >= kIndexFrom) {
    for (std::size_t at = index_.size(); at < entries_.size(); ++at) index_.emplace(entries_[at].key, at);
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &entries_[found->second];
  }
  for (MapEntry& entry : entries_) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
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
