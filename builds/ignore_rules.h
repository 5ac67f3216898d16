#pragma once
// Which files of a context a build does not see: the rules of .dockerignore. Source: the Dockerfile reference
// (".dockerignore files") and the package patternmatcher of Moby. Pure; any thread.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::builds {

class IgnoreRules {
 public:
  /// Nothing is ignored.
  IgnoreRules() = default;
  /// Of the text of a file; the last rule that matches a path, or a directory above it, decides. Throws
  /// Error{invalid_input} "NAME:LINE: ..." for a pattern that is none.
  IgnoreRules(std::string_view text, std::string_view name);

  /// Which rules match a path; kept for what lies below it.
  using Matches = std::vector<bool>;
  /// `above`: of the directory that holds it; empty at the top.
  Matches match(std::string_view path, const Matches& above) const;
  bool ignores(const Matches& matches) const;

  bool empty() const noexcept { return rules_.empty(); }
  /// Whether something below a directory that is ignored may still be seen.
  bool has_exceptions() const noexcept { return has_exceptions_; }

 private:
  // A state of an automaton: what it takes, and it goes on to the next. `dirs` may be left out, or ends
  // with a slash.
  struct Part {
    enum class Kind : unsigned char { byte, one, star, deep, dirs, set } kind = Kind::byte;
    char byte = '\0';
    bool negated = false;
    std::vector<std::pair<char, char>> ranges;
  };
  struct Rule {
    std::vector<Part> parts;
    bool exception = false;
  };

  static std::vector<Part> compile(std::string_view pattern);
  static bool matches(const std::vector<Part>& parts, std::string_view path);
  static bool takes(const Part& part, char c);

  std::vector<Rule> rules_;
  bool has_exceptions_ = false;
};

}  // namespace runner::builds
