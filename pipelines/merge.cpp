#include "pipelines/merge.h"

#include "pipelines/map_builder.h"

namespace runner::pipelines {

const Node* Merger::merge(const Node& base, const Node& over) {
  const Node* lower = &base;
  const Node* upper = &over;
  if (resolve_reference) {
    const bool lower_is_reference = base.kind() == NodeKind::reference;
    const bool upper_is_reference = over.kind() == NodeKind::reference;
    const Node* meant = nullptr;
    if (lower_is_reference && over.is_map()) {
      meant = resolve_reference(base);
      if (meant != nullptr) lower = meant;
    } else if (upper_is_reference && base.is_map()) {
      meant = resolve_reference(over);
      if (meant != nullptr && meant->is_map()) upper = meant;
    }
  }
  if (!lower->is_map() || !upper->is_map()) return upper;
  if (upper->entries().empty()) return lower;
  if (lower->entries().empty()) return upper;
  copied_ += lower->entries().size() + upper->entries().size();
  if (exhausted()) return upper;

  MapBuilder merged;
  merged.reserve(lower->entries().size() + upper->entries().size());
  for (const MapEntry& entry : lower->entries()) merged.add(entry);
  for (const MapEntry& entry : upper->entries()) {
    MapEntry* known = merged.find(entry.key);
    if (known == nullptr) {
      merged.add(entry);
    } else {
      *known = {entry.key, entry.key_range, merge(*known->value, *entry.value)};
    }
  }
  return arena_.mapping(merged.entries(), upper->range());
}

}  // namespace runner::pipelines
