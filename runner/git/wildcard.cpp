#include <cctype>
#include <cstring>
#include <string_view>

#include "runner/git/attributes.h"

namespace runner::git {
namespace {

bool in_named_class(std::string_view name, unsigned char c) {
  static constexpr std::pair<std::string_view, int (*)(int)> kClasses[] = {
      {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank}, {"cntrl", std::iscntrl},
      {"digit", std::isdigit}, {"graph", std::isgraph}, {"lower", std::islower}, {"print", std::isprint},
      {"punct", std::ispunct}, {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
  for (const auto& [known, test] : kClasses) {
    if (known == name) return test(c) != 0;
  }
  return false;
}

/// `pattern[at]` is behind the '['. Sets `at` behind the ']'. False, and npos, when the class has no end.
bool class_matches(std::string_view pattern, std::size_t& at, char c) {
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    if (pattern.compare(at, 2, "[:") == 0) {
      const std::size_t end = pattern.find(":]", at + 2);
      if (end != std::string_view::npos) {
        found = found || in_named_class(pattern.substr(at + 2, end - at - 2), static_cast<unsigned char>(c));
        at = end + 2;
        continue;
      }
    }
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    const auto low = static_cast<unsigned char>(pattern[at++]);
    auto high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      high = static_cast<unsigned char>(pattern[at++]);
    }
    found = found || (low <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= high);
  }
  if (at >= pattern.size()) {
    at = std::string_view::npos;
    return false;
  }
  ++at;
  return found != negated;
}

/// Matches without recursion: a mismatch goes back to the last star, or to the last "**".
class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view text, bool path)
      : pattern_(pattern), text_(text), path_(path) {}

  bool run() {
    while (t_ < text_.size() || p_ < pattern_.size()) {
      if (p_ < pattern_.size() && pattern_[p_] == '*') {
        if (!star()) return true;  // "**" at the end takes all
        continue;
      }
      if (t_ < text_.size() && p_ < pattern_.size() && one()) continue;
      if (!retry()) return false;
    }
    return true;
  }

 private:
  /// False: the rest matches whatever it is.
  bool star() {
    const bool begins = p_ == 0 || pattern_[p_ - 1] == '/';
    std::size_t end = p_;
    while (end < pattern_.size() && pattern_[end] == '*') ++end;
    const bool twice = end - p_ >= 2;
    const bool ends = end == pattern_.size() || pattern_[end] == '/';
    if (path_ && twice && begins && ends) {
      if (end == pattern_.size()) return false;
      p_ = end + 1;
      deep_p_ = p_;
      deep_t_ = t_;
      star_p_ = kNone;
      return true;
    }
    p_ = end;
    star_p_ = p_;
    star_t_ = t_;
    return true;
  }

  bool one() {
    const char c = text_[t_];
    std::size_t next = p_ + 1;
    bool good = false;
    switch (pattern_[p_]) {
      case '?':
        good = !(path_ && c == '/');
        break;
      case '[':
        good = class_matches(pattern_, next, c) && !(path_ && c == '/');
        if (next == kNone) return false;
        break;
      case '\\':
        good = next < pattern_.size() && pattern_[next] == c;
        ++next;
        break;
      default:
        good = pattern_[p_] == c;
    }
    if (!good) return false;
    p_ = next;
    ++t_;
    return true;
  }

  bool retry() {
    if (star_p_ != kNone && star_t_ < text_.size() && !(path_ && text_[star_t_] == '/')) {
      p_ = star_p_;
      t_ = ++star_t_;
      return true;
    }
    if (deep_p_ == kNone) return false;
    const std::size_t slash = text_.find('/', deep_t_);
    if (slash == kNone) return false;
    star_p_ = kNone;
    p_ = deep_p_;
    t_ = deep_t_ = slash + 1;
    return true;
  }

  static constexpr std::size_t kNone = std::string_view::npos;
  std::string_view pattern_, text_;
  bool path_;
  std::size_t p_ = 0, t_ = 0;
  std::size_t star_p_ = kNone, star_t_ = 0, deep_p_ = kNone, deep_t_ = 0;
};

}  // namespace

bool wildcard_matches(std::string_view pattern, std::string_view text, bool path) {
  return Matcher(pattern, text, path).run();
}

}  // namespace runner::git
