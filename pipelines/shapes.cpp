#include "pipelines/shapes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "pipelines/document.h"
#include "runner/base/text.h"

namespace runner::pipelines {

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const auto best = nearest(word, candidates);
  return best ? "did you mean '" + std::string(*best) + "'?" : std::string();
}

std::string alternatives(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

void Shapes::error(std::string id, const SourceRange& where, std::string_view message, std::string help) {
  if (out_ != nullptr)
    out_->error(std::move(id), where, owner_ + ": " + std::string(message), std::move(help));
}

void Shapes::warning(std::string id, const SourceRange& where, std::string_view message, std::string help) {
  if (out_ != nullptr)
    out_->warning(std::move(id), where, owner_ + ": " + std::string(message), std::move(help));
}

void Shapes::wrong_type(std::string_view key, const Node& node, std::string_view expected, std::string help) {
  if (out_ == nullptr) return;
  error("wrong-type", node.range(),
        std::string(key) + ": expected " + std::string(expected) + ", got " +
            std::string(describe(node.kind())),
        std::move(help));
}

bool Shapes::check(std::string_view path, const Keyword& keyword, const Node& node) {
  if (node.is_null()) return true;
  if (!fits(keyword.shape, node.kind())) {
    wrong_type(path, node, keyword.expected);
    return false;
  }
  if (keyword.support == Support::accept && !silent())
    no_effect_.try_emplace(std::string(path), node.range());
  return true;
}

bool Shapes::check_keys(std::string_view path, const KeywordTable& table, const Node& map) {
  bool good = true;
  for (const MapEntry& entry : map.entries()) {
    const Keyword* keyword = table.find(entry.key);
    const std::string full = std::string(path) + ":" + std::string(entry.key);
    if (keyword != nullptr) {
      good = check(full, *keyword, *entry.value) && good;
      continue;
    }
    good = false;
    if (silent()) continue;
    std::vector<std::string_view> names;
    for (const Keyword& known : table.keywords) names.push_back(known.name);
    std::string help = did_you_mean(entry.key, names);
    if (help.empty()) help = "allowed here: " + alternatives(names);
    error("unknown-key", entry.key_range,
          std::string(path) + " has the unknown key '" + std::string(entry.key) + "'", std::move(help));
  }
  return good;
}

const Node* Shapes::get(const KeywordTable& table, const Node& map, std::string_view key) const {
  const Node* value = map.find(key);
  if (value == nullptr || value->is_null()) return nullptr;
  const Keyword* keyword = table.find(key);
  return keyword != nullptr && fits(keyword->shape, value->kind()) ? value : nullptr;
}

std::optional<std::string> Shapes::string(std::string_view path, const Node& node) {
  if (!node.is_string()) {
    wrong_type(path, node, "a string");
    return std::nullopt;
  }
  return with_inputs(node.text(), node.range());
}

std::optional<std::string> Shapes::one_of(std::string_view path, const Node& node,
                                          std::span<const std::string_view> allowed) {
  auto text = string(path, node);
  if (!text) return std::nullopt;
  for (std::string_view word : allowed)
    if (*text == word) return text;
  std::string help = did_you_mean(*text, allowed);
  error("bad-value", node.range(),
        std::string(path) + ": '" + *text + "' is not one of " + alternatives(allowed), std::move(help));
  return std::nullopt;
}

std::string Shapes::place(std::string_view path, std::size_t index) const {
  return std::string(path) + " entry " + std::to_string(index + 1);
}

std::vector<std::string> Shapes::strings(std::string_view path, const Node& node, std::string_view expected) {
  std::vector<std::string> texts;
  if (!node.is_list() && !node.is_string()) {
    wrong_type(path, node, expected);
    return texts;
  }
  Diagnostics unheard;
  const std::vector<const Node*> items = flatten(node, out_ == nullptr ? unheard : *out_);
  texts.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i]->is_string()) {
      texts.push_back(with_inputs(items[i]->text(), items[i]->range()));
    } else {
      wrong_type(place(path, i), *items[i], "a string",
                 items[i]->is_scalar() && !items[i]->is_null() ? "put it in quotes" : "");
    }
  }
  return texts;
}

std::vector<std::string> Shapes::commands(std::string_view path, const Node& node) {
  std::vector<std::string> texts;
  if (node.is_null()) return texts;
  if (!node.is_list() && !node.is_string()) {
    wrong_type(path, node, "a command or a list of commands");
    return texts;
  }
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(node, nesting);
  for (const Diagnostic& one : nesting.all())
    error(one.id, one.where, std::string(path) + ": " + one.message);
  if (nesting.has_errors()) return texts;
  texts.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Node& item = *items[i];
    if (item.is_string()) {
      texts.push_back(with_inputs(item.text(), item.range()));
      continue;
    }
    std::string help;
    if (item.is_map()) {
      help = "a command that holds ': ' must be quoted as a whole, or written as a block after '|'";
    } else if (!item.is_null() && !item.is_list()) {
      help = "put it in quotes";
    }
    wrong_type(place(path, i), item, "a string", std::move(help));
  }
  if (texts.size() == 1 && texts.front().empty()) texts.clear();  // '' runs nothing
  return texts;
}

std::vector<int> Shapes::integers(std::string_view path, const Node& node) {
  std::vector<int> numbers;
  Diagnostics unheard;
  const std::vector<const Node*> items = flatten(node, out_ == nullptr ? unheard : *out_);
  for (const Node* item : items) {
    if (item->kind() != NodeKind::integer) {
      wrong_type(path, *item, "whole numbers");
    } else if (item->integer() < std::numeric_limits<int>::min() ||
               item->integer() > std::numeric_limits<int>::max()) {
      error("bad-value", item->range(),
            std::string(path) + ": '" + std::string(item->text()) + "' is out of range");
    } else {
      numbers.push_back(static_cast<int>(item->integer()));
    }
  }
  return numbers;
}

std::string Shapes::with_inputs(std::string_view text, const SourceRange& where) {
  if (inputs_ == nullptr || text.find("${{") == std::string_view::npos) return std::string(text);
  std::string out;
  while (true) {
    const std::size_t open = text.find("${{");
    const std::size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    const std::string_view inside = trim(text.substr(open + 3, close - open - 3));
    const std::string_view block = text.substr(open, close + 2 - open);
    text.remove_prefix(close + 2);
    if (!inside.starts_with("job.inputs.")) {
      out.append(block);
      continue;
    }
    const auto input = inputs_->find(inside.substr(11));
    if (input != inputs_->end()) {
      out.append(input->second);
    } else {
      error("unknown-input", where,
            "the input '" + std::string(inside.substr(11)) + "' is not declared in inputs");
    }
  }
}

}  // namespace runner::pipelines
