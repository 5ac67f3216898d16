#pragma once
// The patterns of a cache, asked about single paths. Internal to this folder; one thread.

#include <string>
#include <string_view>
#include <vector>

#include "cache/caches.h"
#include "runner/base/glob.h"

namespace runner::cache {

class PathSet {
 public:
  /// `content` must outlive it.
  explicit PathSet(const CacheContent& content);

  /// A pattern stands for the whole workspace.
  bool selects_root() const noexcept { return root_; }
  /// A pattern matches the path: it is taken with all below it. Marks the pattern as one that found
  /// something.
  bool matches(std::string_view path);
  /// Something below the directory may be taken, by a pattern or because git does not track it.
  bool could_match_below(std::string_view directory) const;
  /// A file or link that no pattern names is taken because git does not track it.
  bool takes_untracked(std::string_view path) const;
  bool untracked() const noexcept { return content_.untracked; }

  /// Patterns that leave the root.
  const std::vector<std::string>& outside() const noexcept { return outside_; }
  struct Unmatched {
    std::string text;  // as written
    bool literal = false;
    std::string path;  // of a literal one
  };
  /// Patterns that matches() has not marked.
  std::vector<Unmatched> unmatched() const;

 private:
  struct Pattern {
    std::string text, literal;
    Glob glob;
    bool is_literal = false, found = false;
  };
  const CacheContent& content_;
  std::vector<Pattern> patterns_;
  std::vector<std::string> outside_;
  bool root_ = false;
};

}  // namespace runner::cache
