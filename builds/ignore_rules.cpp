#include "builds/ignore_rules.h"

#include <algorithm>
#include <utility>

#include "builds/dockerfile_lines.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

constexpr std::size_t kMostRules = 10'000;

/// As Go's filepath.Clean, from the top of the context; "" is the context itself.
std::string cleaned(std::string_view pattern) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(pattern, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..")
      parts.pop_back();
    else
      parts.emplace_back(part);
  }
  return join(parts, "/");
}

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text, std::string_view name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.starts_with('#')) continue;
    line = trim(line);
    if (line.empty()) continue;
    Rule rule;
    if (line.front() == '!') {
      rule.exception = true;
      line = trim(line.substr(1));
      if (line.empty()) throw_at(name, number, "'!' stands alone; a pattern follows it");
    }
    const std::string pattern = cleaned(line);
    if (pattern.empty()) continue;
    try {
      rule.parts = compile(pattern);
    } catch (const Error& error) {
      throw_at(name, number, in_quotes(to_utf8(line)) + ": " + error.what());
    }
    has_exceptions_ = has_exceptions_ || rule.exception;
    rules_.push_back(std::move(rule));
    if (rules_.size() > kMostRules) throw_at(name, number, "there are more than 10,000 rules");
  }
}

std::vector<IgnoreRules::Part> IgnoreRules::compile(std::string_view pattern) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    Part part;
    const char c = pattern[i];
    if (c == '*' && pattern.substr(i).starts_with("**")) {
      i += 1;
      part.kind = Part::Kind::deep;
      if (pattern.substr(i + 1).starts_with('/')) {
        ++i;
        part.kind = Part::Kind::dirs;
      }
    } else if (c == '*') {
      part.kind = Part::Kind::star;
    } else if (c == '?') {
      part.kind = Part::Kind::one;
    } else if (c == '\\') {
      if (++i == pattern.size()) throw Error(ErrorCode::invalid_input, "nothing follows the '\\'");
      part.byte = pattern[i];
    } else if (c == '[') {
      part.kind = Part::Kind::set;
      if (++i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!')) {
        part.negated = true;
        ++i;
      }
      const auto one = [&] {
        if (i < pattern.size() && pattern[i] == '\\') ++i;
        if (i >= pattern.size()) throw Error(ErrorCode::invalid_input, "the '[' has no ']'");
        return pattern[i++];
      };
      do {
        const char from = one();
        char to = from;
        if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
          ++i;
          to = one();
        }
        part.ranges.emplace_back(from, to);
        if (i >= pattern.size()) throw Error(ErrorCode::invalid_input, "the '[' has no ']'");
      } while (pattern[i] != ']');
    } else {
      part.byte = c;
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

bool IgnoreRules::takes(const Part& part, char c) {
  switch (part.kind) {
    case Part::Kind::byte:
      return c == part.byte;
    case Part::Kind::one:
    case Part::Kind::star:
      return c != '/';
    case Part::Kind::deep:
    case Part::Kind::dirs:
      return true;
    case Part::Kind::set:
      break;
  }
  const bool in = std::any_of(part.ranges.begin(), part.ranges.end(), [c](const auto& range) {
    return static_cast<unsigned char>(range.first) <= static_cast<unsigned char>(c) &&
           static_cast<unsigned char>(c) <= static_cast<unsigned char>(range.second);
  });
  return c != '/' && in != part.negated;
}

// All states at once: no pattern takes longer than its length times that of the path.
bool IgnoreRules::matches(const std::vector<Part>& parts, std::string_view path) {
  const std::size_t end = parts.size();
  // Twice for each part: before it, and within it, which is kept for what takes any number.
  std::vector<char> before(end + 1, 0), within(end + 1, 0);
  const auto repeats = [&](std::size_t i) {
    const auto kind = parts[i].kind;
    return kind == Part::Kind::star || kind == Part::Kind::deep || kind == Part::Kind::dirs;
  };
  const auto spread = [&] {
    for (std::size_t i = 0; i < end; ++i)
      if (before[i] != 0 && repeats(i)) before[i + 1] = 1;
  };
  before[0] = 1;
  spread();
  for (std::size_t at = 0; at < path.size(); ++at) {
    const char c = path[at];
    // A character of more bytes is one for '?'.
    const bool goes_on = at + 1 < path.size() && (static_cast<unsigned char>(path[at + 1]) & 0xC0U) == 0x80U;
    std::vector<char> next(end + 1, 0), next_within(end + 1, 0);
    for (std::size_t i = 0; i < end; ++i) {
      if ((before[i] == 0 && within[i] == 0) || !takes(parts[i], c)) continue;
      switch (parts[i].kind) {
        case Part::Kind::star:
        case Part::Kind::deep:
          next[i] = 1;
          break;
        case Part::Kind::dirs:
          next_within[i] = 1;
          if (c == '/') next[i + 1] = 1;
          break;
        case Part::Kind::one:
          (goes_on ? next_within[i] : next[i + 1]) = 1;
          break;
        default:
          next[i + 1] = 1;
      }
    }
    before.swap(next);
    within.swap(next_within);
    spread();
  }
  return before[end] != 0;
}

IgnoreRules::Matches IgnoreRules::match(std::string_view path, const Matches& above) const {
  Matches found(rules_.size(), false);
  for (std::size_t i = 0; i < rules_.size(); ++i)
    found[i] = (!above.empty() && above[i]) || matches(rules_[i].parts, path);
  return found;
}

bool IgnoreRules::ignores(const Matches& matches) const {
  for (std::size_t i = rules_.size(); i-- > 0;)
    if (matches[i]) return !rules_[i].exception;
  return false;
}

}  // namespace runner::builds
