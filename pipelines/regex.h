#pragma once
// Patterns of the dialect: RE2 syntax, unanchored, linear time. Immutable; any thread.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace runner::pipelines {

/// A compiled pattern.
class Regex {
 public:
  /// `flags` of "ismU". Null with one sentence in `error` when the pattern is none.
  static std::shared_ptr<const Regex> compile(std::string_view pattern, std::string_view flags,
                                              std::string& error);
  ~Regex();

  /// It is found somewhere in `text`.
  bool found_in(std::string_view text) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The parts of "/pattern/flags"; the last slash ends the pattern.
struct SlashedPattern {
  std::string_view pattern;
  std::string_view flags;
};
/// False when `text` has not that form.
bool split_slashed(std::string_view text, SlashedPattern& parts) noexcept;

/// Compiled patterns by their text in slashes. One planning, one cache; not thread-safe.
class RegexCache {
 public:
  /// Null when `text` is not "/pattern/flags" or does not compile.
  const Regex* find(std::string_view text);

 private:
  std::unordered_map<std::string, std::shared_ptr<const Regex>> known_;
};

}  // namespace runner::pipelines
