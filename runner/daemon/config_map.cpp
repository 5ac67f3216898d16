#include "runner/daemon/config_map.h"

#include <algorithm>
#include <utility>

#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::daemon {
namespace {

using pipelines::MapEntry;
using pipelines::Node;
using pipelines::NodeKind;
using pipelines::SourceRange;

constexpr const char* kWrong = "config-value";

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

ConfigMap::ConfigMap(const Node& node, std::string owner, pipelines::Diagnostics& out)
    : node_(node), owner_(std::move(owner)), out_(out) {
  if (!node.is_map() && !node.is_null())
    complain(node.range(), "expected keys with values, got " + std::string(describe(node.kind())));
}

std::string ConfigMap::place(std::string_view key) const {
  return "'" + std::string(key) + "'";
}

void ConfigMap::complain(const SourceRange& where, const std::string& message, std::string help) {
  out_.error(kWrong, where, owner_.empty() ? message : owner_ + ": " + message, std::move(help));
}

void ConfigMap::wrong_type(std::string_view key, const Node& found, std::string_view expected) {
  complain(found.range(), place(key) + " must be " + std::string(expected) + ", and is " +
                              std::string(describe(found.kind())));
}

const Node* ConfigMap::get(std::string_view key) {
  asked_.emplace_back(key);
  const Node* found = node_.is_map() ? node_.find(key) : nullptr;
  return found == nullptr || found->is_null() ? nullptr : found;
}

const SourceRange& ConfigMap::where(std::string_view key) const {
  const Node* found = node_.is_map() ? node_.find(key) : nullptr;
  return found == nullptr ? node_.range() : found->range();
}

std::optional<std::string> ConfigMap::scalar(std::string_view key, const Node& node) {
  if (node.is_string()) {
    if (node.text().find('\0') == std::string_view::npos) return std::string(node.text());
    complain(node.range(), place(key) + " has a zero byte in it", "leave it out");
    return std::nullopt;
  }
  wrong_type(key, node, node.is_scalar() ? "a text (write quotes around it)" : "a text");
  return std::nullopt;
}

std::optional<std::string> ConfigMap::text(std::string_view key) {
  const Node* found = get(key);
  return found == nullptr ? std::nullopt : scalar(key, *found);
}

std::optional<std::string> ConfigMap::checked_text(
    std::string_view key, const std::function<std::string(const std::string& text)>& problem_of) {
  auto found = text(key);
  if (!found) return found;
  const std::string problem = problem_of(*found);
  if (problem.empty()) return found;
  complain(where(key), place(key) + " " + problem);
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> ConfigMap::duration(std::string_view key, bool never) {
  const Node* found = get(key);
  if (found == nullptr) return std::nullopt;
  const std::string help = std::string("write it like 30s, 5m or 1h") + (never ? ", or 'never'" : "");
  if (!found->is_string() && found->kind() != NodeKind::integer) {
    wrong_type(key, *found, "a duration");
    return std::nullopt;
  }
  if (never && found->text() == "never") return std::chrono::milliseconds(0);
  const auto duration = parse_duration(found->text());
  if (duration && *duration >= std::chrono::seconds(1)) return duration;
  complain(found->range(),
           place(key) + ": " + in_quotes(found->text()) + " is no duration of a second or more", help);
  return std::nullopt;
}

std::optional<bool> ConfigMap::flag(std::string_view key) {
  const Node* found = get(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind() == NodeKind::boolean) return found->boolean();
  wrong_type(key, *found, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> ConfigMap::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const Node* found = get(key);
  if (found == nullptr) return std::nullopt;
  const std::string expected = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (found->kind() != NodeKind::integer) {
    wrong_type(key, *found, expected);
    return std::nullopt;
  }
  if (found->integer() >= least && found->integer() <= most) return found->integer();
  complain(found->range(), place(key) + " must be " + expected + ", and is " + std::string(found->text()));
  return std::nullopt;
}

std::optional<std::vector<std::string>> ConfigMap::texts(std::string_view key) {
  const Node* found = get(key);
  if (found == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  if (found->is_string()) {
    texts.emplace_back(found->text());
    return texts;
  }
  if (!found->is_list()) {
    wrong_type(key, *found, "a list of texts");
    return std::nullopt;
  }
  for (const Node* item : found->items()) {
    auto text = scalar(key, *item);
    if (!text) return std::nullopt;
    texts.push_back(std::move(*text));
  }
  return texts;
}

void ConfigMap::complain_choice(std::string_view key, const Node& found,
                                const std::vector<std::string>& allowed) {
  const std::vector<std::string_view> candidates(allowed.begin(), allowed.end());
  const auto meant = nearest(found.text(), candidates);
  complain(found.range(), place(key) + " cannot be " + in_quotes(found.text()),
           meant ? "did you mean " + in_quotes(*meant) + "?" : "allowed are " + join(allowed, ", "));
}

std::optional<std::string> ConfigMap::choice(std::string_view key, const std::vector<std::string>& allowed) {
  auto chosen = text(key);
  if (!chosen || std::find(allowed.begin(), allowed.end(), *chosen) != allowed.end()) return chosen;
  complain_choice(key, *get(key), allowed);
  return std::nullopt;
}

std::optional<std::string> ConfigMap::written(std::string_view key, std::string_view expected) {
  const Node* found = get(key);
  if (found == nullptr) return std::nullopt;
  if (found->is_string() || found->kind() == NodeKind::integer) return std::string(found->text());
  wrong_type(key, *found, expected);
  return std::nullopt;
}

const Node* ConfigMap::mapping(std::string_view key, std::string_view expected) {
  const Node* found = get(key);
  if (found == nullptr || found->is_map()) return found;
  wrong_type(key, *found, expected);
  return nullptr;
}

std::map<std::string, std::string> ConfigMap::variables(std::string_view key) {
  std::map<std::string, std::string> variables;
  const Node* found = mapping(key, "names with values");
  if (found == nullptr) return variables;
  for (const MapEntry& entry : found->entries()) {
    if (!is_variable_name(entry.key)) {
      complain(entry.key_range, "no variable can be called " + in_quotes(entry.key),
               "letters, digits and '_' are allowed, and no digit first");
    } else if (!entry.value->is_scalar()) {
      wrong_type(entry.key, *entry.value, "a text");
    } else {
      variables.emplace(entry.key, entry.value->text());
    }
  }
  return variables;
}

const Node* ConfigMap::list(std::string_view key) {
  const Node* found = get(key);
  if (found == nullptr || found->is_list()) return found;
  wrong_type(key, *found, "a list");
  return nullptr;
}

void ConfigMap::require(std::string_view key, std::string help) {
  if (node_.is_map() && get(key) == nullptr)
    complain(node_.range(), place(key) + " is missing", std::move(help));
}

void ConfigMap::finish() {
  if (!node_.is_map()) return;
  std::sort(asked_.begin(), asked_.end());
  asked_.erase(std::unique(asked_.begin(), asked_.end()), asked_.end());
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const MapEntry& entry : node_.entries()) {
    if (std::find(asked_.begin(), asked_.end(), entry.key) != asked_.end()) continue;
    const auto meant = nearest(entry.key, known);
    out_.error("config-key", entry.key_range,
               (owner_.empty() ? "" : owner_ + ": ") + "there is no key " + in_quotes(entry.key),
               meant ? "did you mean " + in_quotes(*meant) + "?" : "there are " + join(asked_, ", "));
  }
}

}  // namespace runner::daemon
