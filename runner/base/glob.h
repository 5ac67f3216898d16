#pragma once
// The two glob languages of the dialect, compiled once and matched often. Pure; a Glob may be shared between
// threads. Paths are relative, with '/' between parts, without leading "./" or "/".

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace runner {

enum class GlobDialect : std::uint8_t {
  /// rules:changes and rules:exists (fnmatch with path, dot and brace flags): `**/` as a whole part is any
  /// number of directories, any other `**` is `*`; `[!a]` and `[^a]` are classes; braces nest.
  rules,
  /// artifacts and cache paths (doublestar): `**` as a whole part is any number of directories, the last part
  /// included, so `dir/**` matches at every depth.
  paths,
};

/// A compiled pattern. Matching is linear in path length times pattern length, whatever the pattern.
class Glob {
 public:
  /// Never fails: what is no valid syntax stands for itself, as the reference does.
  Glob(std::string_view pattern, GlobDialect dialect);
  Glob(Glob&&) noexcept;
  Glob& operator=(Glob&&) noexcept;
  ~Glob();

  /// The whole path matches.
  bool matches(std::string_view path) const;
  /// Some path below directory `dir` could match: a walk may skip the directory when false. "" is the root.
  bool could_match_below(std::string_view dir) const;
  /// No magic at all: the pattern is a plain path.
  bool is_literal() const noexcept;
  const std::string& pattern() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner
