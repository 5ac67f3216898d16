#include "pipelines/block_function.h"

#include <fmt/core.h>

#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// `$NAME` and `${NAME}` once: values are not looked into, masked and unknown ones stay as written.
std::string expand_once(std::string_view text, const LoadContext& context) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
      continue;
    }
    if (text.substr(at, 2) == "$$") {
      out += "$$";
      at += 2;
      continue;
    }
    const bool braces = text.substr(at, 2) == "${";
    const std::size_t start = at + (braces ? 2 : 1);
    std::size_t end = start;
    while (end < text.size() && is_word(text[end])) ++end;
    const bool closed = !braces || (end < text.size() && text[end] == '}');
    const std::size_t next = braces ? end + 1 : end;
    const Variable* variable = end > start && closed && context.variable
                                   ? context.variable(text.substr(start, end - start))
                                   : nullptr;
    if (variable != nullptr && !variable->masked) {
      out += variable->value;
      at = next;
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string truncated(std::string_view text, std::size_t offset, std::size_t length) {
  const auto skip = [&](std::size_t at, std::size_t characters) {
    for (; characters > 0 && at < text.size(); --characters) {
      ++at;
      while (at < text.size() && continues_character(text[at])) ++at;
    }
    return at;
  };
  const std::size_t start = skip(0, offset);
  return std::string(text.substr(start, skip(start, length) - start));
}

std::string posix_escaped(std::string_view text) {
  if (text.empty()) return "''";
  static constexpr std::string_view kHarmless = "_-.,:+/@";
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "'\n'";
      continue;
    }
    const bool harmless =
        is_word(c) || kHarmless.find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x80;
    if (!harmless) out += '\\';
    out += c;
  }
  return out;
}

/// 'text' or "text" without the quotes.
std::optional<std::string_view> unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() < 2 || text.front() != text.back() || (text.front() != '\'' && text.front() != '"'))
    return std::nullopt;
  return text.substr(1, text.size() - 2);
}

const Node* split_text(std::string_view text, std::string_view separator, const SourceRange& range,
                       NodeArena& arena) {
  std::vector<const Node*> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    const std::string_view part = trim(text.substr(0, end));
    if (!part.empty()) parts.push_back(arena.string(part, range));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + separator.size());
  }
  return arena.sequence(parts, range);
}

}  // namespace

const Node* call_block_function(std::string_view call, const Node& value, Loading& loading,
                                std::string& error) {
  const std::size_t open = call.find('(');
  const std::string_view name = trim(call.substr(0, open));
  const bool has_arguments = open != std::string_view::npos && call.back() == ')';
  const std::string_view arguments =
      has_arguments ? call.substr(open + 1, call.size() - open - 2) : std::string_view();
  const bool plain = open == std::string_view::npos;

  const bool is_expand = name == "expand_vars" && plain;
  const bool is_escape = (name == "posix_escape" || name == "posix_quote") && plain;
  const bool is_truncate = name == "truncate" && has_arguments;
  const bool is_split = name == "split" && has_arguments;
  if (!is_expand && !is_escape && !is_truncate && !is_split) {
    error = fmt::format("no function matches '{}'", call);
    return nullptr;
  }
  if (!value.is_string()) {
    error = fmt::format("'{}' can be used with a string only, found {}", name, describe(value.kind()));
    return nullptr;
  }
  const std::string_view text = value.text();
  const SourceRange& range = value.range();
  if (is_expand) return loading.arena.string(expand_once(text, loading.context), range);
  if (is_escape) return loading.arena.string(posix_escaped(text), range);
  if (is_truncate) {
    const std::vector<std::string_view> parts = split(arguments, ',');
    const auto offset = parse_integer(trim(parts[0]));
    const auto length = parts.size() == 2 ? parse_integer(trim(parts[1])) : std::nullopt;
    if (!offset || !length || *offset < 0 || *length < 0) {
      error = fmt::format("no function matches '{}'", call);
      return nullptr;
    }
    return loading.arena.string(
        truncated(text, static_cast<std::size_t>(*offset), static_cast<std::size_t>(*length)), range);
  }
  const auto separator = unquoted(arguments);
  if (!separator || separator->empty()) {
    error = separator ? "separator of 'split' is empty" : fmt::format("no function matches '{}'", call);
    return nullptr;
  }
  return split_text(text, *separator, range, loading.arena);
}

}  // namespace runner::pipelines
