#include "pipelines/reference.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "pipelines/document.h"
#include "pipelines/extends.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxRecursion = 100;
constexpr std::size_t kMaxListLevels = 10;  // the outermost included
constexpr std::uint64_t kMaxResolvedNodes = 2'000'000;

/// A node with its references replaced.
struct Resolved {
  const Node* node = nullptr;  // nullptr while in progress
  std::size_t levels = 0;      // references one inside the other
  bool broken = false;
};

class References {
 public:
  References(const Node& root, bool complete, Extender& extender, NodeArena& arena, Diagnostics& diagnostics)
      : root_(root), complete_(complete), extender_(extender), arena_(arena), diagnostics_(diagnostics) {}

  Resolved resolve(const Node& node) {
    if (!node.has_references()) return {&node, 0, false};
    const auto known = done_.find(&node);
    if (known != done_.end()) return known->second;
    done_[&node] = {};
    Resolved result = node.kind() == NodeKind::reference ? reference(node)
                      : node.is_map()                    ? mapping(node)
                                                         : sequence(node);
    if (result.node == nullptr) result.node = arena_.null(node.range());
    return done_[&node] = result;
  }

 private:
  static void absorb(Resolved& into, const Resolved& part) {
    into.levels = std::max(into.levels, part.levels);
    into.broken = into.broken || part.broken;
  }

  /// A part of a collection; a cycle comes back here only through a reference, which reported it.
  const Node* part_of(const Node& part, Resolved& whole) {
    const Resolved result = resolve(part);
    absorb(whole, result);
    if (result.node == nullptr) whole.broken = true;
    return result.node == nullptr ? arena_.null(part.range()) : result.node;
  }

  Resolved mapping(const Node& node) {
    Resolved result;
    std::vector<MapEntry> entries(node.entries().begin(), node.entries().end());
    for (MapEntry& entry : entries) entry.value = part_of(*entry.value, result);
    result.node = arena_.mapping(entries, node.range());
    return result;
  }

  Resolved sequence(const Node& node) {
    Resolved result;
    std::vector<const Node*> items(node.items().begin(), node.items().end());
    for (const Node*& item : items) item = part_of(*item, result);
    result.node = arena_.sequence(items, node.range());
    return result;
  }

  static std::string written(const Node& reference) {
    std::string out = "!reference [";
    for (const Node* part : reference.items()) {
      if (out.back() != '[') out += ", ";
      out += part->text();
    }
    return out + "]";
  }

  Resolved reference(const Node& node) {
    const auto items = node.items();
    if (items.empty() ||
        !std::all_of(items.begin(), items.end(), [](const Node* part) { return part->is_string(); })) {
      return fail(node, "bad-reference", "!reference needs a list of strings");
    }
    Resolved result;
    const Node* target = find_target(node, result);
    if (target == nullptr) {
      if (!result.broken) return not_found(node);
      return result;
    }
    if (++depth_ > kMaxRecursion) {
      --depth_;
      return too_deep(node);
    }
    const Resolved inside = resolve(*target);
    --depth_;
    if (inside.node == nullptr)
      return fail(node, "reference-cycle", fmt::format("{} is part of a cycle", written(node)));
    absorb(result, inside);
    if (inside.node->is_null() && !inside.broken) return not_found(node);
    result.node = inside.node;
    ++result.levels;
    if (result.levels == kMaxReferenceLevels + 1 && !result.broken) {
      return too_deep(node);
    }
    return result;
  }

  Resolved too_deep(const Node& node) {
    return fail(node, "reference-too-deep",
                fmt::format("{} is nested too deeply (limit {})", written(node), kMaxReferenceLevels));
  }

  const Node* find_target(const Node& node, Resolved& result) {
    const Node* at = nullptr;
    for (const Node* part : node.items()) {
      if (at == nullptr) {
        at = extender_.entry(part->text());
        if (extender_.is_broken(part->text())) result.broken = true;
      } else {
        if (at->kind() == NodeKind::reference) {
          const Resolved through = resolve(*at);
          absorb(result, through);
          if (through.node == nullptr) {
            fail(node, "reference-cycle", fmt::format("{} is part of a cycle", written(node)));
            result.broken = true;
          }
          at = through.node;
        }
        at = at == nullptr || !at->is_map() ? nullptr : at->find(part->text());
      }
      if (at == nullptr) return nullptr;
    }
    return at;
  }

  Resolved not_found(const Node& node) {
    if (!complete_) return {nullptr, 0, true};
    const Node* at = nullptr;
    std::string help;
    for (const Node* part : node.items()) {
      const Node& inside = at == nullptr ? root_ : *at;
      const Node* next = at == nullptr     ? extender_.entry(part->text())
                         : inside.is_map() ? inside.find(part->text())
                                           : nullptr;
      if (next == nullptr) {
        std::vector<std::string_view> names;
        for (const MapEntry& entry : inside.entries()) names.push_back(entry.key);
        const auto near = nearest(part->text(), names);
        if (near) help = fmt::format("did you mean '{}'?", *near);
        break;
      }
      at = next;
    }
    return fail(node, "unknown-reference", fmt::format("{} not found", written(node)), std::move(help));
  }

  Resolved fail(const Node& node, std::string id, std::string message, std::string help = {}) {
    diagnostics_.error(std::move(id), node.range(), std::move(message), std::move(help));
    return {nullptr, 0, true};
  }

  const Node& root_;
  bool complete_;
  Extender& extender_;
  NodeArena& arena_;
  Diagnostics& diagnostics_;
  std::unordered_map<const Node*, Resolved> done_;
  std::size_t depth_ = 0;
};

bool spread(const Node& value, std::size_t depth, std::vector<const Node*>& out) {
  if (!value.is_list()) {
    out.push_back(&value);
    return true;
  }
  if (depth >= kMaxListLevels) return false;
  return std::all_of(value.items().begin(), value.items().end(),
                     [&](const Node* item) { return spread(*item, depth + 1, out); });
}

}  // namespace

Resolution resolve_names(const Node& root, bool complete, NodeArena& arena, Diagnostics& diagnostics) {
  Extender extender(root, complete, arena, diagnostics);
  References references(root, complete, extender, arena, diagnostics);
  Resolution result;
  std::vector<MapEntry> entries(root.entries().begin(), root.entries().end());
  for (MapEntry& entry : entries) entry.value = extender.entry(entry.key);
  std::unordered_set<std::string_view> broken_references;
  for (MapEntry& entry : entries) {
    if (entry.key.substr(0, 2) == "x-") continue;
    const Resolved resolved = references.resolve(*entry.value);
    entry.value = resolved.node;
    if (resolved.broken) broken_references.insert(entry.key);
  }
  result.root = arena.mapping(entries, root.range());
  result.broken = extender.broken();
  result.broken.merge(broken_references);
  if (result.root->expanded_size() > kMaxResolvedNodes) {
    diagnostics.error("too-many-values", root.range(),
                      fmt::format("the configuration has more than {} values once references are replaced",
                                  kMaxResolvedNodes));
    result.root = nullptr;
  }
  return result;
}

std::vector<const Node*> flatten(const Node& value, Diagnostics& diagnostics) {
  std::vector<const Node*> out;
  if (value.is_null()) return out;
  if (!spread(value, 0, out)) {
    diagnostics.error("nesting-too-deep", value.range(),
                      fmt::format("lists nested too deeply, at most {} levels are allowed", kMaxListLevels));
  }
  return out;
}

}  // namespace runner::pipelines
