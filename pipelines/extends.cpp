#include "pipelines/extends.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "pipelines/reference.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {
constexpr std::size_t kMaxRecursion = 100;
}

bool is_global_key(std::string_view key) noexcept {
  static constexpr std::array<std::string_view, 13> kKeys = {
      "default", "include",       "stages",       "variables", "workflow", "image", "services",
      "cache",   "before_script", "after_script", "$schema",   "spec",     "types"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end() || key.substr(0, 2) == "x-";
}

Extender::Extender(const Node& root, bool complete, NodeArena& arena, Diagnostics& diagnostics)
    : root_(root), complete_(complete), arena_(arena), diagnostics_(diagnostics), merger_(arena) {
  merger_.resolve_reference = [this](const Node& reference) { return peek(reference, 0); };
}

const Node* Extender::entry(std::string_view name) {
  const MapEntry* found = root_.find_entry(name);
  if (found == nullptr) return nullptr;
  if (!found->value->is_map() || is_global_key(name)) return found->value;
  return resolve(*found).node;
}

Extender::State Extender::resolve(const MapEntry& entry) {
  const auto known = states_.find(entry.key);
  if (known != states_.end()) return known->second;
  const Node* names = entry.value->find("extends");
  if (names == nullptr) return states_[entry.key] = {entry.value, 1};
  if (chain_.size() >= kMaxRecursion) {
    // Far beyond the limit, whatever is above: no need to find out how far.
    broken_.insert(entry.key);
    diagnostics_.error(
        "extends-too-deep", names->range(),
        fmt::format("'{}': extends nested too deeply (limit {})", entry.key, kMaxExtendsLevels));
    return states_[entry.key] = {entry.value, 1};
  }
  states_[entry.key] = {};
  chain_.push_back(entry.key);
  const State state = extend(entry, *names);
  chain_.pop_back();
  return states_[entry.key] = state;
}

Extender::State Extender::extend(const MapEntry& entry, const Node& names) {
  const Node* own = without_extends(*entry.value);
  if (names.is_null()) return {own, 1};
  const Node* const one[] = {&names};
  const std::span<const Node* const> list =
      names.is_list() ? names.items() : std::span<const Node* const>(one);
  const Node* base = nullptr;
  std::size_t levels = 1;
  for (const Node* name : list) {
    const MapEntry* from = parent(entry, *name);
    if (from == nullptr) {
      broken_.insert(entry.key);
      continue;
    }
    const State above = resolve(*from);
    if (above.node == nullptr) {
      report_cycle(entry, *name);
      broken_.insert(entry.key);
      continue;
    }
    if (is_broken(from->key)) broken_.insert(entry.key);
    if (above.levels == kMaxExtendsLevels && !is_broken(entry.key)) {
      diagnostics_.error(
          "extends-too-deep", name->range(),
          fmt::format("'{}': extends nested too deeply (limit {})", entry.key, kMaxExtendsLevels));
      broken_.insert(entry.key);
    }
    levels = std::max(levels, above.levels + 1);
    base = base == nullptr ? above.node : merger_.merge(*base, *above.node);
  }
  if (base == nullptr) return {own, levels};
  const bool could = !merger_.exhausted();
  const Node* merged = merger_.merge(*base, *own);
  if (merger_.exhausted()) {
    broken_.insert(entry.key);
    if (could) {
      diagnostics_.error("too-many-values", names.range(), "'extends' makes the configuration too large");
    }
  }
  return {merged, levels};
}

const MapEntry* Extender::parent(const MapEntry& entry, const Node& name) {
  if (!name.is_string()) {
    diagnostics_.error("bad-extends", name.range(),
                       fmt::format("'{}': extends must be a name or a list of names, found {}", entry.key,
                                   describe(name.kind())));
    return nullptr;
  }
  const MapEntry* found = root_.find_entry(name.text());
  if (found != nullptr && found->value->is_map()) return found;
  if (found != nullptr) {
    diagnostics_
        .error("extends-not-a-mapping", name.range(),
               fmt::format("'{}': extends an entry that is not a mapping ('{}' is {})", entry.key,
                           name.text(), describe(found->value->kind())))
        .notes.push_back({found->key_range, fmt::format("'{}' is defined here", name.text())});
    return nullptr;
  }
  if (!complete_) return nullptr;
  std::vector<std::string_view> names;
  for (const MapEntry& candidate : root_.entries()) {
    if (candidate.value->is_map() && candidate.key != entry.key) names.push_back(candidate.key);
  }
  const auto near = nearest(name.text(), names);
  diagnostics_.error("unknown-extends", name.range(),
                     fmt::format("'{}': extends unknown entry '{}'", entry.key, name.text()),
                     near ? fmt::format("did you mean '{}'?", *near) : "");
  return nullptr;
}

void Extender::report_cycle(const MapEntry& entry, const Node& name) {
  const auto start = std::find(chain_.begin(), chain_.end(), name.text());
  std::string way;
  for (auto at = start; at != chain_.end(); ++at) way += fmt::format("{} -> ", *at);
  diagnostics_.error("extends-cycle", name.range(),
                     fmt::format("'{}': extends forms a cycle ({}{})", entry.key, way, name.text()));
  broken_.insert(start, chain_.end());
}

const Node* Extender::without_extends(const Node& node) {
  std::vector<MapEntry> entries;
  entries.reserve(node.entries().size());
  for (const MapEntry& entry : node.entries()) {
    if (entry.key != "extends") entries.push_back(entry);
  }
  return arena_.mapping(entries, node.range());
}

const Node* Extender::peek(const Node& reference, std::size_t depth) {
  if (depth > kMaxReferenceLevels) return nullptr;
  const Node* at = nullptr;
  for (const Node* part : reference.items()) {
    if (!part->is_string()) return nullptr;
    if (at == nullptr) {
      at = entry(part->text());
    } else {
      if (at->kind() == NodeKind::reference) at = peek(*at, depth + 1);
      at = at == nullptr || !at->is_map() ? nullptr : at->find(part->text());
    }
    if (at == nullptr) return nullptr;
  }
  if (at != nullptr && at->kind() == NodeKind::reference) return peek(*at, depth + 1);
  return at;
}

}  // namespace runner::pipelines
