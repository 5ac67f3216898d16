#include "runner/git/attributes.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "runner/base/text.h"

namespace runner::git {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kLongestLine = 2048;
constexpr std::string_view kMacro = "[attr]";

bool is_attribute_name(std::string_view name) {
  if (name.empty() || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 128 && (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_');
  });
}

/// A name in double quotes with C's escapes; sets `rest` to what follows. nullopt: it is not well-formed.
std::optional<std::string> unquoted(std::string_view text, std::string_view& rest) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      rest = text.substr(i + 1);
      return out;
    }
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i >= text.size()) break;
    static constexpr std::string_view kNames = "abfnrtv\\\"", kValues = "\a\b\f\n\r\t\v\\\"";
    if (const std::size_t known = kNames.find(text[i]); known != std::string_view::npos) {
      out += kValues[known];
      continue;
    }
    unsigned value = 0;
    for (std::size_t digit = 0; digit < 3; ++digit, ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '7') return std::nullopt;
      value = value * 8 + static_cast<unsigned>(text[i] - '0');
    }
    --i;
    out += static_cast<char>(value & 0xFFU);
  }
  return std::nullopt;
}

}  // namespace

Attributes::Attributes() {
  std::vector<Rule> none;
  add_line("[attr]binary -diff -merge -text", true, none);
}

void Attributes::add(std::string directory, std::string_view text) {
  std::vector<Rule> rules;
  const bool top = directory.empty();
  for (const std::string_view line : split(text, '\n')) add_line(line, top, rules);
  files_[std::move(directory)] = std::move(rules);
}

void Attributes::add_line(std::string_view line, bool top, std::vector<Rule>& rules) {
  if (line.size() >= kLongestLine) return;
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || line[begin] == '#') return;
  line.remove_prefix(begin);
  std::string pattern;
  std::string_view rest;
  std::optional<std::string> quoted;
  if (line.front() == '"') quoted = unquoted(line, rest);
  if (quoted) {
    pattern = std::move(*quoted);
  } else {
    const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
    pattern = line.substr(0, end);
    rest = line.substr(end);
  }
  std::string macro;
  if (pattern.size() > kMacro.size() && pattern.starts_with(kMacro)) {
    macro = pattern.substr(kMacro.size());
    if (!top || !is_attribute_name(macro)) return;
  }
  std::vector<Assignment> assignments;
  for (const std::string_view word : split_words(rest)) {
    Assignment one;
    std::string_view name = word.substr(0, word.find('='));
    if (word.front() == '-' || word.front() == '!') {
      one.state.kind = word.front() == '-' ? State::Kind::unset : State::Kind::unspecified;
      name.remove_prefix(1);
    } else if (name.size() < word.size()) {
      one.state = {State::Kind::value, std::string(word.substr(name.size() + 1))};
    } else {
      one.state.kind = State::Kind::set;
    }
    if (!is_attribute_name(name)) return;  // git takes none of the line then
    one.name = name;
    assignments.push_back(std::move(one));
  }
  if (!macro.empty()) {
    macros_[macro] = std::move(assignments);
    return;
  }
  if (pattern.starts_with('!') || pattern.ends_with('/')) return;  // forbidden; only directories
  Rule rule;
  rule.by_name = pattern.find('/') == std::string::npos;
  if (!rule.by_name && pattern.starts_with('/')) pattern.erase(0, 1);
  const bool plain = pattern.find_first_of("*?[\\", 1) == std::string::npos;
  if (rule.by_name && plain && pattern.size() > 1 && pattern.front() == '*') rule.suffix = pattern.substr(1);
  rule.pattern = std::move(pattern);
  rule.assignments = std::move(assignments);
  rules.push_back(std::move(rule));
}

bool Attributes::matches(const Rule& rule, std::string_view path, std::string_view name) {
  if (!rule.suffix.empty()) return name.ends_with(rule.suffix);
  return rule.by_name ? wildcard_matches(rule.pattern, name, false)
                      : wildcard_matches(rule.pattern, path, true);
}

void Attributes::apply(const std::vector<Assignment>& assignments, States& states) const {
  for (auto one = assignments.rbegin(); one != assignments.rend(); ++one) {
    State& state = states[one->name];
    if (state.kind != State::Kind::unknown) continue;
    state = one->state;
    if (state.kind != State::Kind::set) continue;
    if (const auto macro = macros_.find(one->name); macro != macros_.end()) apply(macro->second, states);
  }
}

FileAttributes Attributes::of(std::string_view path) const {
  States states;
  const std::size_t last = path.rfind('/');
  const std::string_view name = last == std::string_view::npos ? path : path.substr(last + 1);
  // The nearest file first, its last line first: the first that says something counts.
  for (std::size_t end = last; !files_.empty();
       end = end == 0 ? std::string_view::npos : path.rfind('/', end - 1)) {
    const bool top = end == std::string_view::npos;
    const auto file = files_.find(top ? std::string_view() : path.substr(0, end));
    if (file != files_.end()) {
      const std::string_view below = top ? path : path.substr(end + 1);
      for (auto rule = file->second.rbegin(); rule != file->second.rend(); ++rule) {
        if (matches(*rule, below, name)) apply(rule->assignments, states);
      }
    }
    if (top) break;
  }
  const auto state = [&](std::string_view attribute) {
    const auto found = states.find(attribute);
    return found == states.end() ? State() : found->second;
  };
  enum class Text { unknown, yes, no, when_text };
  const auto text_of = [&](std::string_view attribute) {
    const State said = state(attribute);
    if (said.kind == State::Kind::set) return Text::yes;
    if (said.kind == State::Kind::unset) return Text::no;
    if (said.kind == State::Kind::value && said.text == "input") return Text::yes;
    if (said.kind == State::Kind::value && said.text == "auto") return Text::when_text;
    return Text::unknown;
  };
  FileAttributes result;
  Text text = text_of("text");
  if (text == Text::unknown) text = text_of("crlf");
  if (text != Text::no && state("eol").text == "crlf") {
    result.line_ends =
        text == Text::when_text ? FileAttributes::LineEnds::crlf_when_text : FileAttributes::LineEnds::crlf;
  }
  result.ident = state("ident").kind == State::Kind::set;
  result.encoding = state("working-tree-encoding").text;
  result.filter = state("filter").text;
  return result;
}

}  // namespace runner::git
