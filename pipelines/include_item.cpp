#include "pipelines/include_item.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 6> kSources = {"local",    "project",   "remote",
                                                      "template", "component", "artifact"};
constexpr std::array<std::string_view, 12> kKeys = {"local",  "project",   "file",     "ref",
                                                    "remote", "integrity", "template", "component",
                                                    "inputs", "rules",     "artifact", "job"};
constexpr std::array<std::string_view, 4> kRuleKeys = {"if", "exists", "changes", "when"};

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string expanded(std::string_view text, const Loading& loading) {
  return loading.context.expand ? loading.context.expand(text) : std::string(text);
}

/// A text of an item with its variables expanded; nullopt when reported.
std::optional<std::string> text_value(const MapEntry& entry, Loading& loading) {
  const Node& value = *entry.value;
  if (!value.is_string()) {
    loading.diagnostics.error(
        "bad-include", value.range(),
        fmt::format("include '{}' must be a string, found {}", entry.key, describe(value.kind())));
    return std::nullopt;
  }
  std::string text = expanded(value.text(), loading);
  if (!trim(text).empty()) return text;
  loading.diagnostics.error(
      "empty-include", value.range(),
      value.text().empty() ? fmt::format("include '{}' is empty", entry.key)
                           : fmt::format("include '{}' is empty once its variables are expanded", entry.key),
      value.text().empty() ? "" : "variables of the file itself cannot be used in include");
  return std::nullopt;
}

enum class Verdict : std::uint8_t { include, leave, error };

Verdict rule_verdict(const Node& rule, Loading& loading) {
  Diagnostics& diagnostics = loading.diagnostics;
  if (!rule.is_map()) {
    diagnostics.error("bad-include", rule.range(),
                      fmt::format("an include rule must be a mapping, found {}", describe(rule.kind())));
    return Verdict::error;
  }
  bool fine = true;
  bool conditional = false;
  for (const MapEntry& entry : rule.entries()) {
    if (std::find(kRuleKeys.begin(), kRuleKeys.end(), entry.key) == kRuleKeys.end()) {
      report_unknown_key(entry, "an include rule", kRuleKeys, diagnostics);
      fine = false;
    }
    conditional = conditional || entry.key != "when";
  }
  const Node* when = rule.find("when");
  if (when != nullptr && !when->is_null() && when->text() != "always" && when->text() != "never") {
    diagnostics.error("bad-include", when->range(), "'when' of an include rule must be 'always' or 'never'");
    fine = false;
  }
  if (!fine) return Verdict::error;
  if (conditional) {
    if (!loading.context.rule_matches) return Verdict::leave;
    const std::optional<bool> holds = loading.context.rule_matches(rule);
    if (!holds) return Verdict::error;
    if (!*holds) return Verdict::leave;
  }
  return Verdict::include;
}

/// Whether the rules let the item in.
Verdict rules_verdict(const Node* rules, Loading& loading) {
  if (rules == nullptr || rules->is_null()) return Verdict::include;
  if (!rules->is_list()) {
    loading.diagnostics.error(
        "bad-include", rules->range(),
        fmt::format("include 'rules' must be a list, found {}", describe(rules->kind())));
    return Verdict::error;
  }
  for (const Node* rule : flatten(*rules, loading.diagnostics)) {
    const Verdict verdict = rule_verdict(*rule, loading);
    if (verdict == Verdict::error) return verdict;
    if (verdict == Verdict::leave) continue;
    const Node* when = rule->find("when");
    return when != nullptr && when->text() == "never" ? Verdict::leave : Verdict::include;
  }
  return Verdict::leave;
}

bool read_files(const MapEntry& entry, IncludeItem& item, Loading& loading) {
  const Node* const one[] = {entry.value};
  const auto values = entry.value->is_list() ? entry.value->items() : std::span<const Node* const>(one);
  bool fine = true;
  for (const Node* value : values) {
    auto text = text_value({entry.key, entry.key_range, value}, loading);
    if (text) {
      item.files.emplace_back(*std::move(text), value->range());
    } else {
      fine = false;
    }
  }
  return fine;
}

/// The one key that says where the file is; nullptr when reported.
const MapEntry* source_of(const Node& node, Diagnostics& diagnostics) {
  const MapEntry* source = nullptr;
  std::size_t found = 0;
  for (const MapEntry& entry : node.entries()) {
    if (std::find(kSources.begin(), kSources.end(), entry.key) == kSources.end()) continue;
    if (source == nullptr) source = &entry;
    if (++found == 2) {
      diagnostics
          .error("bad-include", entry.key_range,
                 "include item must use exactly one of local, project, remote, template, component")
          .notes.push_back({source->key_range, fmt::format("'{}' is here", source->key)});
    }
  }
  if (found == 0) {
    diagnostics.error("bad-include", node.range(),
                      "include item must use exactly one of local, project, remote, template, component");
  }
  if (found == 1 && source->key == "artifact") {
    diagnostics.error("bad-include", source->key_range,
                      "include 'artifact' is allowed only inside 'trigger'");
    return nullptr;
  }
  return found == 1 ? source : nullptr;
}

bool check_keys(const Node& node, std::string_view source, Diagnostics& diagnostics) {
  bool fine = true;
  for (const MapEntry& entry : node.entries()) {
    const bool known = std::find(kKeys.begin(), kKeys.end(), entry.key) != kKeys.end();
    if (!known) {
      report_unknown_key(entry, "include item", kKeys, diagnostics);
      fine = false;
      continue;
    }
    const bool misplaced = ((entry.key == "file" || entry.key == "ref") && source != "project") ||
                           (entry.key == "integrity" && source != "remote") || entry.key == "job";
    if (misplaced) {
      diagnostics.error("bad-include", entry.key_range,
                        fmt::format("include '{}' cannot stand beside '{}'", entry.key, source));
      fine = false;
    }
  }
  return fine;
}

bool read_details(const Node& node, IncludeItem& item, Loading& loading) {
  bool fine = true;
  for (const MapEntry& entry : node.entries()) {
    if (entry.value->is_null()) continue;
    if (entry.key == "ref" || entry.key == "integrity") {
      auto text = text_value(entry, loading);
      if (!text) {
        fine = false;
      } else if (entry.key == "ref") {
        item.ref = *std::move(text);
      } else {
        item.integrity = *std::move(text);
        item.integrity_where = entry.value->range();
      }
    } else if (entry.key == "file") {
      fine = read_files(entry, item, loading) && fine;
    } else if (entry.key == "inputs") {
      item.inputs = entry.value;
      if (!entry.value->is_map()) {
        loading.diagnostics.error(
            "bad-include", entry.value->range(),
            fmt::format("include 'inputs' must be a mapping, found {}", describe(entry.value->kind())));
        fine = false;
      }
    }
  }
  if (item.kind == IncludeKind::project && item.files.empty() && fine) {
    loading.diagnostics.error("bad-include", node.range(), "include of a project needs 'file'");
    fine = false;
  }
  return fine;
}

IncludeKind kind_of(std::string_view key) {
  if (key == "project") return IncludeKind::project;
  if (key == "remote") return IncludeKind::remote;
  if (key == "template") return IncludeKind::template_file;
  if (key == "component") return IncludeKind::component;
  return IncludeKind::local;
}

bool is_url(std::string_view text) {
  return starts_with(text, "http://") || starts_with(text, "https://");
}

}  // namespace

std::optional<IncludeItem> read_include_item(const Node& node, Loading& loading) {
  Diagnostics& diagnostics = loading.diagnostics;
  if (node.is_string()) {
    auto text = text_value({"local", node.range(), &node}, loading);
    if (!text) return std::nullopt;
    IncludeItem item;
    item.kind = is_url(*text) ? IncludeKind::remote : IncludeKind::local;
    item.source = *std::move(text);
    item.where = node.range();
    return item;
  }
  if (!node.is_map()) {
    diagnostics.error(
        "bad-include", node.range(),
        fmt::format("include item must be a string or a mapping, found {}", describe(node.kind())));
    return std::nullopt;
  }
  const MapEntry* source = source_of(node, diagnostics);
  if (!check_keys(node, source == nullptr ? "project" : source->key, diagnostics) || source == nullptr)
    return std::nullopt;
  // Rules first: what is not included may hold variables that are not there.
  const Verdict verdict = rules_verdict(node.find("rules"), loading);
  if (verdict == Verdict::error) loading.complete = false;
  if (verdict != Verdict::include) return std::nullopt;

  IncludeItem item;
  item.kind = kind_of(source->key);
  item.where = source->value->range();
  auto text = text_value(*source, loading);
  if (!text) return std::nullopt;
  item.source = *std::move(text);
  if (!read_details(node, item, loading)) return std::nullopt;
  if (item.kind == IncludeKind::remote && !is_url(item.source)) {
    diagnostics.error("bad-include", item.where,
                      fmt::format("remote include '{}' must start with http:// or https://", item.source));
    return std::nullopt;
  }
  return item;
}

std::optional<std::string> normal_path(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return std::nullopt;
      parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  return join(parts, "/");
}

bool matches_include_pattern(std::string_view pattern, std::string_view path) {
  // Which prefixes of the pattern match what was read of the path: linear in both lengths together.
  struct Token {
    char literal = 0;
    bool any = false, any_but_slash = false;
  };
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '*') {
      tokens.push_back({pattern[at], false, false});
    } else if (at + 1 < pattern.size() && pattern[at + 1] == '*') {
      tokens.push_back({0, true, false});
      ++at;
    } else {
      tokens.push_back({0, false, true});
    }
  }
  std::vector<char> reached(tokens.size() + 1, 0);
  const auto skip_empty = [&] {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (reached[i] != 0 && (tokens[i].any || tokens[i].any_but_slash)) reached[i + 1] = 1;
    }
  };
  reached[0] = 1;
  skip_empty();
  for (const char c : path) {
    std::vector<char> next(tokens.size() + 1, 0);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (reached[i] == 0) continue;
      if (tokens[i].any || (tokens[i].any_but_slash && c != '/')) next[i] = 1;
      if (!tokens[i].any && !tokens[i].any_but_slash && tokens[i].literal == c) next[i + 1] = 1;
    }
    reached.swap(next);
    skip_empty();
  }
  return reached.back() != 0;
}

bool has_yaml_suffix(std::string_view path) {
  const auto ends = [&](std::string_view suffix) {
    return path.size() >= suffix.size() && to_lower(path.substr(path.size() - suffix.size())) == suffix;
  };
  return ends(".yml") || ends(".yaml");
}

}  // namespace runner::pipelines
