#pragma once
// What lies between two commits of a mirror. Blocks on the disk; the same threads as the mirror.

#include <cstddef>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/git/mirror.h"

namespace runner::git {

struct RangeCommit {
  std::string id, author, subject;  // author: a name; any bytes, as git has them
  TimePoint at{};                   // of the commit
};

struct CommitRange {
  bool known = false;                // both commits are there
  std::vector<RangeCommit> commits;  // that `to` has and `from` has not, newest first
  std::vector<RangeCommit> gone;     // that `from` has and `to` has not
  /// In all; counting ends at kMostCounted.
  std::size_t commits_total = 0, gone_total = 0;
  std::size_t files = 0;  // that differ
};

inline constexpr std::size_t kMostCounted = 10'000;

/// Both are 40 hex digits. Of each list at most `limit` are read. Throws Error.
CommitRange commits_between(const Mirror& mirror, const std::string& from, const std::string& to,
                            std::size_t limit);

}  // namespace runner::git
