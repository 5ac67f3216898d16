#include "pipelines/yaml_reader.h"

#include <fmt/core.h>
#include <yaml.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "pipelines/map_builder.h"
#include "pipelines/scalar.h"
#include "pipelines/yaml_text.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kCorePrefix = "tag:yaml.org,2002:";

class Parser {
 public:
  explicit Parser(std::string_view text) {
    if (yaml_parser_initialize(&parser_) == 0)
      throw Error(ErrorCode::unavailable, "out of memory while reading YAML");
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }

  /// False on a syntax error.
  bool next() {
    yaml_event_delete(&event_);
    return yaml_parser_parse(&parser_, &event_) != 0;
  }
  const yaml_event_t& event() const { return event_; }

  YamlProblem problem() const {
    if (parser_.error == YAML_MEMORY_ERROR)
      throw Error(ErrorCode::unavailable, "out of memory while reading YAML");
    const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value + 1); };
    YamlProblem out;
    if (parser_.problem != nullptr) out.problem = parser_.problem;
    out.line = number(parser_.problem_mark.line);
    out.column = number(parser_.problem_mark.column);
    if (parser_.context != nullptr) {
      out.context = parser_.context;
      out.context_line = number(parser_.context_mark.line);
      out.context_column = number(parser_.context_mark.column);
    }
    return out;
  }

 private:
  yaml_parser_t parser_{};
  yaml_event_t event_{};
};

std::string_view text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

std::string_view text_of(const yaml_event_t& scalar) {
  return {reinterpret_cast<const char*>(scalar.data.scalar.value), scalar.data.scalar.length};
}

bool is_merge_key(const yaml_event_t& event) {
  return event.type == YAML_SCALAR_EVENT && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         event.data.scalar.tag == nullptr && text_of(event) == "<<";
}

bool same_scalar(const Node& a, const Node& b) {
  return &a == &b || (a.is_scalar() && a.kind() == b.kind() && a.text() == b.text());
}

/// Entries of a mapping with the origin of each: 0 for written here, n for the n-th merge key.
struct MappingState {
  MapBuilder entries;
  std::vector<std::uint32_t> origins;
  std::uint32_t merges = 0;
};

/// One reading. After a fatal error every function returns at once: nullptr means "stop".
class Reader {
 public:
  Reader(FileId file, std::string_view text, NodeArena& arena, Diagnostics& diagnostics)
      : file_(file), text_(text), arena_(arena), diagnostics_(diagnostics), parser_(text) {}

  bool read(std::vector<const Node*>& documents);

 private:
  bool next();
  bool fail(std::string id, SourceRange where, std::string message, std::string help = {});
  SourceRange range_of(const yaml_event_t& event) const;

  const Node* node(std::size_t depth);
  const Node* alias();
  const Node* scalar();
  const Node* tagged_scalar(std::string_view tag, std::string_view text, SourceRange range);
  const Node* plain_scalar(std::string_view text, SourceRange range);
  const Node* sequence(std::size_t depth);
  const Node* mapping(std::size_t depth);
  bool add_entry(MappingState& state, std::size_t depth);
  bool add_merge(MappingState& state, std::size_t depth);
  void merge(MappingState& state, const Node& from, SourceRange key);
  bool count(std::uint64_t nodes, SourceRange where);
  void check_collection_tag(std::string_view tag, std::string_view expected, SourceRange range);
  void unsupported_tag(std::string_view tag, SourceRange range);

  FileId file_;
  std::string_view text_;
  NodeArena& arena_;
  Diagnostics& diagnostics_;
  Parser parser_;
  std::unordered_map<std::string, const Node*> anchors_;  // of this document; nullptr while being read
  std::uint64_t expanded_ = 0;
};

bool Reader::next() {
  if (parser_.next()) return true;
  report_yaml_problem(file_, text_, parser_.problem(), diagnostics_);
  return false;
}

bool Reader::fail(std::string id, SourceRange where, std::string message, std::string help) {
  diagnostics_.error(std::move(id), where, std::move(message), std::move(help));
  return false;
}

SourceRange Reader::range_of(const yaml_event_t& event) const {
  const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value + 1); };
  return {file_, number(event.start_mark.line), number(event.start_mark.column), number(event.end_mark.line),
          number(event.end_mark.column)};
}

bool Reader::read(std::vector<const Node*>& documents) {
  if (!next()) return false;
  while (true) {
    if (!next()) return false;
    if (parser_.event().type == YAML_STREAM_END_EVENT) return true;
    if (documents.size() == kMaxDocuments) {
      return fail("too-many-documents", range_of(parser_.event()),
                  fmt::format("too many YAML documents, at most {} are allowed", kMaxDocuments),
                  "a file is its content, or a header with 'spec', '---' and its content");
    }
    anchors_.clear();
    if (!next()) return false;
    const Node* root = node(1);
    if (root == nullptr) return false;
    documents.push_back(root);
    if (!next()) return false;  // the document's end
  }
}

bool Reader::count(std::uint64_t nodes, SourceRange where) {
  expanded_ += nodes;  // both are bounded by the limit before: no overflow
  if (expanded_ <= kMaxExpandedNodes) return true;
  return fail("too-many-values", where,
              nodes > 1 ? fmt::format("this alias makes the file larger than {} values", kMaxExpandedNodes)
                        : fmt::format("the file has more than {} values", kMaxExpandedNodes));
}

const Node* Reader::node(std::size_t depth) {
  const yaml_event_t& event = parser_.event();
  if (event.type == YAML_ALIAS_EVENT) return alias();
  const SourceRange range = range_of(event);
  if (!count(1, range)) return nullptr;
  const bool is_scalar = event.type == YAML_SCALAR_EVENT;
  const bool is_sequence = event.type == YAML_SEQUENCE_START_EVENT;
  const yaml_char_t* name = is_scalar     ? event.data.scalar.anchor
                            : is_sequence ? event.data.sequence_start.anchor
                                          : event.data.mapping_start.anchor;
  if (!is_scalar && depth > kMaxDepth) {
    fail("nesting-too-deep", at_character(file_, range.line, range.column),
         fmt::format("nesting too deep, at most {} levels are allowed", kMaxDepth));
    return nullptr;
  }
  if (name == nullptr) return is_scalar ? scalar() : is_sequence ? sequence(depth) : mapping(depth);

  const std::string anchor(text_of(name));
  anchors_[anchor] = nullptr;
  const Node* value = is_scalar ? scalar() : is_sequence ? sequence(depth) : mapping(depth);
  anchors_[anchor] = value;
  return value;
}

const Node* Reader::alias() {
  const SourceRange range = range_of(parser_.event());
  const std::string name(text_of(parser_.event().data.alias.anchor));
  const auto known = anchors_.find(name);
  if (known == anchors_.end()) {
    std::vector<std::string_view> names;
    for (const auto& [anchor, value] : anchors_) names.emplace_back(anchor);
    std::sort(names.begin(), names.end());
    const auto near = nearest(name, names);
    fail("unknown-anchor", range, fmt::format("unknown anchor '{}'", name),
         near ? fmt::format("did you mean '*{}'?", *near)
              : "anchors are known only below their definition and inside their own file");
    return arena_.null(range);
  }
  if (known->second == nullptr) {
    fail("recursive-alias", range, fmt::format("alias '*{}' stands inside its own anchor", name));
    return arena_.null(range);
  }
  return count(known->second->expanded_size(), range) ? known->second : nullptr;
}

const Node* Reader::scalar() {
  const yaml_event_t& event = parser_.event();
  const std::string_view text = text_of(event);
  const SourceRange range = range_of(event);
  const std::string_view tag = text_of(event.data.scalar.tag);
  if (!tag.empty() && tag != "!") return tagged_scalar(tag, text, range);
  if (event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || tag == "!") return arena_.string(text, range);
  if (text.substr(0, 2) == kNoBreakSpace) report_no_break_space(file_, text_, range.line, diagnostics_);
  return plain_scalar(text, range);
}

const Node* Reader::plain_scalar(std::string_view text, SourceRange range) {
  struct Make {
    NodeArena& arena;
    SourceRange range;
    const Node* operator()(NullScalar) const { return arena.null(range); }
    const Node* operator()(bool value) const { return arena.boolean(value, range); }
    const Node* operator()(std::int64_t value) const { return arena.integer(value, range); }
    const Node* operator()(double value) const { return arena.real(value, range); }
    const Node* operator()(std::string_view value) const { return arena.string(value, range); }
    const Node* operator()(const std::string& value) const { return arena.string(value, range); }
  };
  return std::visit(Make{arena_, range}, resolve_plain_scalar(text));
}

const Node* Reader::tagged_scalar(std::string_view tag, std::string_view text, SourceRange range) {
  if (tag == "!reference") {
    fail("bad-reference", range, "!reference needs a list of strings", "write !reference [.entry, key]");
    return arena_.null(range);
  }
  const std::string_view name =
      tag.substr(0, kCorePrefix.size()) == kCorePrefix ? tag.substr(kCorePrefix.size()) : "";
  if (name == "str") return arena_.string(text, range);
  const bool known = name == "int" || name == "float" || name == "bool" || name == "null";
  if (!known) {
    unsupported_tag(tag, range);
    return arena_.null(range);
  }
  const Node* value = plain_scalar(text, range);
  const NodeKind kind = value->kind();
  if (name == "float" && kind == NodeKind::integer)
    return arena_.real(static_cast<double>(value->integer()), range);
  const bool fits =
      (name == "int" && kind == NodeKind::integer) || (name == "float" && kind == NodeKind::real) ||
      (name == "bool" && kind == NodeKind::boolean) || (name == "null" && kind == NodeKind::null);
  if (!fits) fail("bad-tag", range, fmt::format("'{}' is no value for the tag !!{}", text, name));
  return value;
}

void Reader::unsupported_tag(std::string_view tag, SourceRange range) {
  const bool core = tag.substr(0, kCorePrefix.size()) == kCorePrefix;
  const std::string shown = core ? "!!" + std::string(tag.substr(kCorePrefix.size())) : std::string(tag);
  // The tag comes first in the range: that is the part to look at.
  range.end_line = range.line;
  range.end_column = range.column + static_cast<std::uint32_t>(shown.size());
  fail("unsupported-tag", range, fmt::format("unsupported YAML tag '{}'", shown),
       "only !reference is known; quote a text that starts with '!'");
}

void Reader::check_collection_tag(std::string_view tag, std::string_view expected, SourceRange range) {
  if (tag.empty() || tag == "!") return;
  if (tag.substr(0, kCorePrefix.size()) == kCorePrefix && tag.substr(kCorePrefix.size()) == expected) return;
  if (tag == "!reference") {
    fail("bad-reference", range, "!reference needs a list of strings", "write !reference [.entry, key]");
  } else {
    unsupported_tag(tag, range);
  }
}

const Node* Reader::sequence(std::size_t depth) {
  SourceRange range = range_of(parser_.event());
  const bool block = parser_.event().data.sequence_start.style == YAML_BLOCK_SEQUENCE_STYLE;
  const bool is_reference = text_of(parser_.event().data.sequence_start.tag) == "!reference";
  if (!is_reference) check_collection_tag(text_of(parser_.event().data.sequence_start.tag), "seq", range);
  std::vector<const Node*> items;
  while (true) {
    if (!next()) return nullptr;
    if (parser_.event().type == YAML_SEQUENCE_END_EVENT) break;
    const Node* item = node(depth + 1);
    if (item == nullptr) return nullptr;
    items.push_back(item);
  }
  // The end that the parser gives for a block is the start of what follows it.
  const SourceRange end = block && !items.empty() ? items.back()->range() : range_of(parser_.event());
  range.end_line = end.end_line;
  range.end_column = end.end_column;
  return is_reference ? arena_.reference(items, range) : arena_.sequence(items, range);
}

const Node* Reader::mapping(std::size_t depth) {
  SourceRange range = range_of(parser_.event());
  const bool block = parser_.event().data.mapping_start.style == YAML_BLOCK_MAPPING_STYLE;
  check_collection_tag(text_of(parser_.event().data.mapping_start.tag), "map", range);
  MappingState state;
  SourceRange end = range;
  while (true) {
    if (!next()) return nullptr;
    if (parser_.event().type == YAML_MAPPING_END_EVENT) break;
    const bool added = is_merge_key(parser_.event()) ? add_merge(state, depth) : add_entry(state, depth);
    if (!added) return nullptr;
    end = range_of(parser_.event());
  }
  if (!block) end = range_of(parser_.event());
  range.end_line = end.end_line;
  range.end_column = end.end_column;
  return arena_.mapping(state.entries.entries(), range);
}

bool Reader::add_entry(MappingState& state, std::size_t depth) {
  const SourceRange key_range = range_of(parser_.event());
  const Node* key = node(depth + 1);
  if (key == nullptr) return false;
  if (!key->is_scalar()) {
    fail("bad-key", key_range, fmt::format("a key must be a plain text, found {}", describe(key->kind())));
  }
  const bool converted = key->is_scalar() && !key->is_string() && !key->is_null() &&
                         key_range.end_column - key_range.column != key->text().size();
  if (converted) {
    diagnostics_.warning("converted-key", key_range,
                         fmt::format("this key is {} and reads as '{}'", describe(key->kind()), key->text()),
                         "put it in quotes when it is meant as text");
  }
  if (!next()) return false;
  const Node* value = node(depth + 1);
  if (value == nullptr) return false;
  if (!key->is_scalar()) return true;

  const MapEntry entry{key->text(), key_range, value};
  MapEntry* known = state.entries.find(entry.key);
  if (known == nullptr) {
    state.entries.add(entry);
    state.origins.push_back(0);
    return true;
  }
  std::uint32_t& origin = state.origins[state.entries.index_of(known)];
  if (origin == 0) {
    diagnostics_
        .warning("duplicate-key", key_range,
                 fmt::format("duplicate key '{}', the last one counts", entry.key))
        .notes.push_back({known->key_range, "first defined here"});
  }
  origin = 0;
  *known = entry;
  return true;
}

bool Reader::add_merge(MappingState& state, std::size_t depth) {
  const SourceRange key_range = range_of(parser_.event());
  if (!next()) return false;
  const Node* value = node(depth + 1);
  if (value == nullptr) return false;
  ++state.merges;
  const bool is_list = value->is_list() && std::all_of(value->items().begin(), value->items().end(),
                                                       [](const Node* item) { return item->is_map(); });
  if (value->is_map()) {
    merge(state, *value, key_range);
  } else if (is_list) {
    for (const Node* item : value->items()) merge(state, *item, key_range);
  } else if (!diagnostics_.has_errors() || !value->is_null()) {
    // Null may stand for an alias that was reported already.
    fail("bad-merge", value->range(),
         fmt::format("'<<' needs a mapping or a list of mappings, found {}", describe(value->kind())));
  }
  return true;
}

void Reader::merge(MappingState& state, const Node& from, SourceRange key) {
  for (const MapEntry& entry : from.entries()) {
    MapEntry* known = state.entries.find(entry.key);
    if (known == nullptr) {
      state.entries.add(entry);
      state.origins.push_back(state.merges);
      continue;
    }
    std::uint32_t& origin = state.origins[state.entries.index_of(known)];
    if (origin == state.merges) continue;  // an earlier mapping of the same list wins
    if (origin != 0) {
      *known = entry;
      origin = state.merges;
    } else if (!same_scalar(*known->value, *entry.value)) {
      diagnostics_
          .warning("merge-order", key,
                   fmt::format(
                       "'<<' stands below key '{}', which wins here; GitLab takes the merged value instead",
                       entry.key),
                   "put '<<' first in the mapping")
          .notes.push_back({known->key_range, "this one is used"});
    }
  }
}

}  // namespace

std::optional<std::vector<const Node*>> read_yaml(FileId file, std::string_view text, NodeArena& arena,
                                                  Diagnostics& diagnostics) {
  if (text.size() > kMaxFileBytes) {
    diagnostics.error("file-too-large", at_character(file, 1, 1),
                      fmt::format("file too large: {}, at most {} are allowed", format_bytes(text.size()),
                                  format_bytes(kMaxFileBytes)));
    return std::nullopt;
  }
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  if (!check_yaml_text(file, text, diagnostics)) return std::nullopt;
  const std::size_t errors_before = diagnostics.error_count();
  std::vector<const Node*> documents;
  const bool complete = Reader(file, text, arena, diagnostics).read(documents);
  if (!complete || diagnostics.error_count() != errors_before) return std::nullopt;
  return documents;
}

}  // namespace runner::pipelines
