#include "pipelines/input_text.h"

#include <nlohmann/json.hpp>

namespace runner::pipelines {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxJsonDepth = 50;

const Node* to_node(const Json& json, NodeArena& arena, const SourceRange& range, std::size_t depth) {
  if (depth > kMaxJsonDepth) return nullptr;
  if (json.is_null()) return arena.null(range);
  if (json.is_boolean()) return arena.boolean(json.get<bool>(), range);
  if (json.is_number_integer() && (!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX)) {
    return arena.integer(json.get<std::int64_t>(), range);
  }
  if (json.is_number()) return arena.real(json.get<double>(), range);
  if (json.is_string()) return arena.string(json.get_ref<const std::string&>(), range);
  if (json.is_array()) {
    std::vector<const Node*> items;
    for (const Json& item : json) {
      items.push_back(to_node(item, arena, range, depth + 1));
      if (items.back() == nullptr) return nullptr;
    }
    return arena.sequence(items, range);
  }
  std::vector<MapEntry> entries;
  for (const auto& [key, value] : json.items()) {
    const Node* node = to_node(value, arena, range, depth + 1);
    if (node == nullptr) return nullptr;
    entries.push_back({arena.intern(key), range, node});
  }
  return arena.mapping(entries, range);
}

Json to_json(const Node& node) {
  switch (node.kind()) {
    case NodeKind::null:
      return nullptr;
    case NodeKind::boolean:
      return node.boolean();
    case NodeKind::integer:
      return node.integer();
    case NodeKind::real:
      return node.real();
    case NodeKind::string:
      return std::string(node.text());
    case NodeKind::reference:
    case NodeKind::sequence: {
      Json out = Json::array();
      for (const Node* item : node.items()) out.push_back(to_json(*item));
      return out;
    }
    case NodeKind::mapping: {
      Json out = Json::object();
      for (const MapEntry& entry : node.entries()) out[std::string(entry.key)] = to_json(*entry.value);
      return out;
    }
  }
  return nullptr;
}

/// Depth of brackets outside of strings: the library builds deep values recursively.
bool nests_too_deeply(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\') ++at;
    if (in_string) continue;
    if ((text[at] == '[' || text[at] == '{') && ++depth > kMaxJsonDepth) return true;
    if ((text[at] == ']' || text[at] == '}') && depth > 0) --depth;
  }
  return false;
}

}  // namespace

const Node* node_from_json(std::string_view text, NodeArena& arena, SourceRange range) {
  if (nests_too_deeply(text)) return nullptr;
  const Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? nullptr : to_node(json, arena, range, 0);
}

std::string node_to_json(const Node& node) {
  return to_json(node).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace runner::pipelines
