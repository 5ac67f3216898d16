#include <fmt/core.h>

#include <algorithm>

#include "pipelines/block_function.h"
#include "pipelines/input_text.h"
#include "pipelines/inputs.h"
#include "pipelines/map_builder.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kOpen = "$[[";
constexpr std::string_view kClose = "]]";
constexpr std::size_t kMaxBlock = 1024;
constexpr std::size_t kMaxText = std::size_t{1} << 20U;
constexpr std::size_t kMaxBlocks = 10'000;
constexpr std::size_t kMaxFunctions = 3;
constexpr std::size_t kMaxProduced = std::size_t{32} << 20U;  // bytes that blocks may add to one file

std::string as_text(const Node& value) {
  return value.is_scalar() ? std::string(value.text()) : node_to_json(value);
}

/// Parts between '|' outside of quotes and parentheses' texts, trimmed.
std::vector<std::string_view> pipe_parts(std::string_view block) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  char quote = 0;
  for (std::size_t at = 0; at <= block.size(); ++at) {
    if (at < block.size() && quote != 0) {
      if (block[at] == quote) quote = 0;
    } else if (at == block.size() || block[at] == '|') {
      parts.push_back(trim(block.substr(start, at - start)));
      start = at + 1;
    } else if (block[at] == '\'' || block[at] == '"') {
      quote = block[at];
    }
  }
  return parts;
}

class Interpolator {
 public:
  Interpolator(const BlockValues& values, Loading& loading)
      : values_(values), loading_(loading), arena_(loading.arena), diagnostics_(loading.diagnostics) {}

  const Node* node(const Node& from);

 private:
  struct Block {
    std::size_t begin = 0, end = 0;  // with the brackets
    std::string_view inside;
  };

  const Node* mapping(const Node& from);
  const Node* list(const Node& from);
  const Node* text(std::string_view text, const SourceRange& where);
  std::optional<Block> next_block(std::string_view text, std::size_t from) const;
  const Node* value_of(std::string_view block, const SourceRange& where);
  const Node* evaluate(std::string_view block, const SourceRange& where);
  const Node* access(std::string_view path, const SourceRange& where);
  const Node* fail(const SourceRange& where, std::string message, std::string help = {});
  bool produce(std::size_t bytes, const SourceRange& where);

  const BlockValues& values_;
  Loading& loading_;
  NodeArena& arena_;
  Diagnostics& diagnostics_;
  std::unordered_map<const Node*, const Node*> done_;               // collections, which aliases share
  std::unordered_map<std::string_view, const Node*> block_values_;  // nullptr: reported
  std::size_t produced_ = 0;
};

const Node* Interpolator::fail(const SourceRange& where, std::string message, std::string help) {
  diagnostics_.error("bad-interpolation", where, std::move(message), std::move(help));
  return nullptr;
}

const Node* Interpolator::node(const Node& from) {
  if (from.is_string()) {
    if (from.text().find(kOpen) == std::string_view::npos) return &from;
    return text(from.text(), from.range());
  }
  if (from.is_scalar()) return &from;
  const auto known = done_.find(&from);
  if (known != done_.end()) return known->second;
  const Node* result = from.is_map() ? mapping(from) : list(from);
  done_[&from] = result;
  return result;
}

const Node* Interpolator::list(const Node& from) {
  std::vector<const Node*> items(from.items().begin(), from.items().end());
  bool changed = false;
  for (const Node*& item : items) {
    const Node* replaced = node(*item);
    changed = changed || replaced != item;
    item = replaced;
  }
  if (!changed) return &from;
  return from.is_list() ? arena_.sequence(items, from.range()) : arena_.reference(items, from.range());
}

const Node* Interpolator::mapping(const Node& from) {
  std::vector<MapEntry> entries(from.entries().begin(), from.entries().end());
  bool changed = false;
  bool keys_changed = false;
  for (MapEntry& entry : entries) {
    const Node* replaced = node(*entry.value);
    changed = changed || replaced != entry.value;
    entry.value = replaced;
    if (entry.key.find(kOpen) == std::string_view::npos) continue;
    const Node* key = text(entry.key, entry.key_range);
    entry.key = key->is_scalar() ? key->text() : arena_.intern(as_text(*key));
    keys_changed = true;
  }
  if (!keys_changed) return changed ? arena_.mapping(entries, from.range()) : &from;

  MapBuilder unique;
  for (const MapEntry& entry : entries) {
    if (const MapEntry* known = unique.find(entry.key)) {
      diagnostics_
          .warning("duplicate-key", entry.key_range,
                   fmt::format("duplicate key '{}', the last one counts", entry.key))
          .notes.push_back({known->key_range, "first defined here"});
    }
    unique.set(entry);
  }
  return arena_.mapping(unique.entries(), from.range());
}

std::optional<Interpolator::Block> Interpolator::next_block(std::string_view text, std::size_t from) const {
  const std::size_t begin = text.find(kOpen, from);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t inside = begin + kOpen.size();
  const std::size_t end = text.find(kClose, inside);
  if (end == std::string_view::npos) return std::nullopt;
  return Block{begin, end + kClose.size(), trim(text.substr(inside, end - inside))};
}

bool Interpolator::produce(std::size_t bytes, const SourceRange& where) {
  const bool was_fine = produced_ <= kMaxProduced;
  produced_ += bytes;
  if (produced_ <= kMaxProduced) return true;
  if (was_fine) fail(where, "the file becomes too large when its blocks are replaced");
  return false;
}

const Node* Interpolator::text(std::string_view text, const SourceRange& where) {
  if (text.size() > kMaxText) {
    fail(where, "text with blocks too long, at most 1 MiB is allowed");
    return arena_.null(where);
  }
  std::string out;
  std::size_t at = 0;
  while (const auto block = next_block(text, at)) {
    const bool whole = block->begin == 0 && block->end == text.size();
    out += text.substr(at, block->begin - at);
    at = block->end;
    const std::string_view written = text.substr(block->begin, block->end - block->begin);
    if (block->inside.substr(0, 7) == "matrix.") {
      out += written;
      continue;
    }
    const Node* value = value_of(block->inside, where);
    if (value == nullptr) continue;
    if (whole && !value->is_string()) return value;
    const std::string replacement = as_text(*value);
    if (!produce(replacement.size(), where)) return arena_.null(where);
    out += replacement;
  }
  out += text.substr(at);
  return arena_.string(out, where);
}

const Node* Interpolator::value_of(std::string_view block, const SourceRange& where) {
  const auto known = block_values_.find(block);
  if (known != block_values_.end() && known->second != nullptr) return known->second;
  if (block.size() > kMaxBlock)
    return fail(where, fmt::format("block too long, at most {} bytes are allowed", kMaxBlock));
  if (block_values_.size() >= kMaxBlocks) {
    return fail(where,
                fmt::format("too many blocks, at most {} different ones are allowed in a file", kMaxBlocks));
  }
  const Node* value = evaluate(block, where);
  block_values_[arena_.intern(block)] = value;
  return value;
}

const Node* Interpolator::evaluate(std::string_view block, const SourceRange& where) {
  const std::vector<std::string_view> parts = pipe_parts(block);
  if (parts.size() > kMaxFunctions + 1) {
    return fail(where,
                fmt::format("too many functions in '{}', at most {} are allowed", block, kMaxFunctions));
  }
  const Node* value = parts.empty() ? fail(where, "empty block") : access(parts[0], where);
  for (std::size_t i = 1; i < parts.size() && value != nullptr; ++i) {
    std::string error;
    value = call_block_function(parts[i], *value, loading_, error);
    if (value == nullptr) {
      return fail(where, error,
                  "functions are expand_vars, truncate(offset,length), posix_escape, split('separator')");
    }
    if (!produce(value->text().size(), where)) return nullptr;
  }
  return value;
}

const Node* Interpolator::access(std::string_view path, const SourceRange& where) {
  if (path.substr(0, 7) == "inputs.") {
    const std::string_view name = path.substr(7);
    const auto found = values_.inputs.find(name);
    if (found != values_.inputs.end()) return found->second;
    std::vector<std::string_view> names;
    for (const auto& [declared, value] : values_.inputs) names.push_back(declared);
    std::sort(names.begin(), names.end());
    const auto near = nearest(name, names);
    return fail(where, fmt::format("unknown interpolation key '{}'", name),
                near ? fmt::format("did you mean '{}'?", *near) : "");
  }
  if (path.substr(0, 10) == "component.") {
    if (!values_.in_component) return fail(where, fmt::format("{} used outside a component", path));
    const auto found = values_.component.find(std::string(path.substr(10)));
    if (found != values_.component.end()) return found->second;
    return fail(where, fmt::format("unknown interpolation key '{}'", path),
                "list the field under 'spec: component'");
  }
  return fail(where, fmt::format("unknown interpolation key '{}'", path), "write inputs.<name>");
}

}  // namespace

const Node* interpolate(const Node& body, const BlockValues& values, Loading& loading) {
  return Interpolator(values, loading).node(body);
}

}  // namespace runner::pipelines
