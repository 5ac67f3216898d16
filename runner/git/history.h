#pragma once
// Questions about commits. Internal to this folder.

#include <optional>
#include <set>
#include <string>
#include <string_view>

struct git_oid;
struct git_repository;

namespace runner::git {

/// Ids are 40 hex digits here; "" is none.

/// The commit a name stands for: full ref, branch, branch of origin, tag, id (whole or shortened). "" when
/// none.
std::string resolve_commit(git_repository* repository, std::string_view name);
/// "" when there is no common history, or it is cut off by a shallow clone.
std::string merge_base(git_repository* repository, const std::string& one, const std::string& other);
/// "" for a root commit and where a shallow clone ends.
std::string first_parent(git_repository* repository, const std::string& commit);

/// Adds the paths that differ between two commits.
void add_committed_changes(git_repository* repository, const std::string& from, const std::string& to,
                           std::set<std::string>& paths);
/// Adds the tracked paths that differ between a commit and the working tree, staged changes included.
void add_uncommitted_changes(git_repository* repository, const std::string& commit,
                             std::set<std::string>& paths);

/// The newest commit from `start` back that changed `path`.
std::optional<std::string> last_commit_of(git_repository* repository, const std::string& start,
                                          const std::string& path);

}  // namespace runner::git
