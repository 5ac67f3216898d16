// Expansion of a text as the inside of a double-quoted POSIX shell word.

#include <cstddef>
#include <string>
#include <string_view>

#include "pipelines/variable_scan.h"
#include "pipelines/variables.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxNesting = 50;
constexpr std::size_t kMaxResult = std::size_t{1} << 20;

/// Shell pattern (`*`, `?`, `[...]`, `\x`) against a whole text; '/' is nothing special. Linear in space, at
/// worst quadratic in time.
class ShellPattern {
 public:
  explicit ShellPattern(std::string_view pattern) : pattern_(pattern) {}

  bool matches(std::string_view text) const {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
      std::size_t length = 0;
      if (p < pattern_.size() && pattern_[p] == '*') {
        star = p++;
        resume = t;
      } else if (p < pattern_.size() && one(p, text[t], length)) {
        p += length;
        ++t;
      } else if (star != std::string_view::npos) {
        p = star + 1;
        t = ++resume;
      } else {
        return false;
      }
    }
    while (p < pattern_.size() && pattern_[p] == '*') ++p;
    return p == pattern_.size();
  }

 private:
  /// Whether the pattern element at `p`, `length` bytes long, accepts `c`.
  bool one(std::size_t p, char c, std::size_t& length) const {
    length = 1;
    if (pattern_[p] == '?') return true;
    if (pattern_[p] == '\\' && p + 1 < pattern_.size()) {
      length = 2;
      return pattern_[p + 1] == c;
    }
    if (pattern_[p] != '[') return pattern_[p] == c;
    const std::size_t end = class_end(p);
    if (end == std::string_view::npos) return c == '[';
    length = end + 1 - p;
    return in_class(pattern_.substr(p + 1, end - p - 1), c);
  }

  std::size_t class_end(std::size_t p) const {
    std::size_t first = p + 1;
    if (first < pattern_.size() && (pattern_[first] == '!' || pattern_[first] == '^')) ++first;
    return pattern_.find(']', first + 1);
  }

  static bool in_class(std::string_view body, char c) {
    const bool negated = !body.empty() && (body.front() == '!' || body.front() == '^');
    if (negated) body.remove_prefix(1);
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (i + 2 < body.size() && body[i + 1] == '-') {
        if (body[i] <= c && c <= body[i + 2]) return !negated;
        i += 2;
      } else if (body[i] == c) {
        return !negated;
      }
    }
    return negated;
  }

  std::string_view pattern_;
};

std::string without_prefix(const std::string& value, std::string_view pattern, bool longest) {
  const ShellPattern matcher(pattern);
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::size_t length = longest ? value.size() - i : i;
    if (matcher.matches(std::string_view(value).substr(0, length))) return value.substr(length);
  }
  return value;
}

std::string without_suffix(const std::string& value, std::string_view pattern, bool longest) {
  const ShellPattern matcher(pattern);
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::size_t start = longest ? i : value.size() - i;
    if (matcher.matches(std::string_view(value).substr(start))) return value.substr(0, start);
  }
  return value;
}

class WordExpander {
 public:
  explicit WordExpander(const std::map<std::string, std::string>& values) : values_(values) {}

  std::string expand(std::string_view text, std::size_t depth = 0) const {
    std::string out;
    std::size_t at = 0;
    while (at < text.size() && out.size() < kMaxResult) {
      const std::string_view rest = text.substr(at);
      if (rest.front() == '\\' && rest.size() > 1) {
        at += 2;
        if (std::string_view("$`\"\\").find(rest[1]) != std::string_view::npos) {
          out += rest[1];
        } else if (rest[1] != '\n') {
          out += rest.substr(0, 2);
        }
      } else if (rest.front() == '$') {
        at += reference(rest, depth, out);
      } else {
        out += rest.front();
        ++at;
      }
    }
    return out;
  }

 private:
  const std::string* find(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found == values_.end() ? nullptr : &found->second;
  }

  /// Appends what the reference at the start of `rest` stands for; the bytes it takes.
  std::size_t reference(std::string_view rest, std::size_t depth, std::string& out) const {
    const std::size_t plain = name_length(rest.substr(1));
    if (plain > 0) {
      if (const std::string* value = find(rest.substr(1, plain))) out += *value;
      return plain + 1;
    }
    if (rest.size() > 1 && rest[1] == '{' && depth < kMaxNesting) {
      const std::size_t end = closing_brace(rest);
      if (end != std::string_view::npos) {
        braces(rest.substr(2, end - 2), depth, out);
        return end + 1;
      }
    }
    if (rest.size() > 1 && std::string_view("@*#?!-0123456789").find(rest[1]) != std::string_view::npos)
      return 2;  // positional and special parameters are empty
    out += '$';
    return 1;
  }

  static std::size_t closing_brace(std::string_view rest) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] == '\\') {
        ++i;
      } else if (rest[i] == '{' && i > 0 && rest[i - 1] == '$') {
        ++depth;
      } else if (rest[i] == '}' && --depth == 0) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  void braces(std::string_view inside, std::size_t depth, std::string& out) const {
    if (inside.size() > 1 && inside.front() == '#' && name_length(inside.substr(1)) == inside.size() - 1) {
      const std::string* value = find(inside.substr(1));
      out += std::to_string(value == nullptr ? 0 : value->size());
      return;
    }
    const std::size_t name = name_length(inside);
    if (name == 0) return;
    const std::string* value = find(inside.substr(0, name));
    std::string_view rest = inside.substr(name);
    if (rest.empty()) {
      if (value != nullptr) out += *value;
      return;
    }
    if (rest.front() == '%' || rest.front() == '#') {
      if (value != nullptr) out += trimmed(*value, rest, depth);
      return;
    }
    bool present = value != nullptr;
    if (rest.front() == ':') {
      present = present && !value->empty();
      rest.remove_prefix(1);
    }
    if (rest.empty()) return;
    const char action = rest.front();
    const std::string_view word = rest.substr(1);
    if (action == '+') {
      if (present) out += expand(word, depth + 1);
    } else if (action == '-' || action == '=') {
      out += present ? *value : expand(word, depth + 1);
    } else if (action == '?' && present) {
      out += *value;
    }
  }

  std::string trimmed(const std::string& value, std::string_view rest, std::size_t depth) const {
    const char side = rest.front();
    const bool longest = rest.size() > 1 && rest[1] == side;
    const std::string pattern = expand(rest.substr(longest ? 2 : 1), depth + 1);
    return side == '#' ? without_prefix(value, pattern, longest) : without_suffix(value, pattern, longest);
  }

  const std::map<std::string, std::string>& values_;
};

}  // namespace

std::string expand_shell_word(std::string_view text, const std::map<std::string, std::string>& values) {
  if (text.find_first_of("$\\") == std::string_view::npos) return std::string(text);
  return WordExpander(values).expand(text);
}

}  // namespace runner::pipelines
