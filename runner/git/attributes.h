#pragma once
// What .gitattributes files say about how content is written to a work tree. Source: gitattributes(5).
// Pure; once filled, any thread. Internal to this folder.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::git {

/// The part of a file's attributes that a checkout needs.
struct FileAttributes {
  enum class LineEnds : std::uint8_t { as_they_are, crlf, crlf_when_text };
  LineEnds line_ends = LineEnds::as_they_are;
  bool ident = false;
  std::string encoding;  // of the work tree; empty: as it is
  std::string filter;
};

class Attributes {
 public:
  Attributes();
  /// The .gitattributes of a directory; "" is the root. Each directory once, any order.
  void add(std::string directory, std::string_view text);
  bool empty() const noexcept { return files_.empty(); }
  FileAttributes of(std::string_view path) const;

 private:
  struct State {
    enum class Kind : std::uint8_t { unknown, set, unset, unspecified, value } kind = Kind::unknown;
    std::string text;
  };
  struct Assignment {
    std::string name;
    State state;
  };
  struct Rule {
    std::string pattern;
    bool by_name = false;  // the pattern has no slash
    std::string suffix;    // of a pattern "*TEXT": all it asks for
    std::vector<Assignment> assignments;
  };
  using States = std::map<std::string, State, std::less<>>;

  void add_line(std::string_view line, bool top, std::vector<Rule>& rules);
  void apply(const std::vector<Assignment>& assignments, States& states) const;
  static bool matches(const Rule& rule, std::string_view path, std::string_view name);

  std::map<std::string, std::vector<Rule>, std::less<>> files_;  // by directory
  std::map<std::string, std::vector<Assignment>, std::less<>> macros_;
};

/// Whether git's wildcards match. `path`: "*" and "?" match no slash, and "**" is special.
bool wildcard_matches(std::string_view pattern, std::string_view text, bool path);

}  // namespace runner::git
