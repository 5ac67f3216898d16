#pragma once
// A `.git` as a fetch of some depth leaves it, with the objects of a mirror. All but the index, which lies
// with the files. Internal to this folder.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/git/mirror.h"

namespace runner::git {

/// Everything the directory is made of; the same facts make the same files.
struct GitDirectory {
  std::string head;                                       // content of HEAD: an id, or "ref: refs/heads/main"
  std::vector<std::pair<std::string, std::string>> refs;  // sorted
  std::vector<std::string> shallow;                       // commits whose parents are cut off, sorted
  std::string config;
  std::string alternates;  // path of the mirror's objects
};

struct GitDirectoryRequest {
  std::string commit, ref, attached_branch, origin_url;
  bool may_push = true;  // to the origin
  std::size_t depth = 20;
  bool lfs = false;         // files were written by git-lfs, so git needs it to compare them
  std::string more_config;  // sections that follow
  std::string work_tree;    // core.worktree; empty: the directory above
};

GitDirectory describe_git_directory(const Mirror& mirror, const GitDirectoryRequest& request);
/// A text that is the same for the same directory.
std::string fingerprint(const GitDirectory& description);
/// `directory` is made; its parent exists. Throws Error.
void write_git_directory(const GitDirectory& description, const std::filesystem::path& directory);

/// Commits at which a history of `depth` ends, seen from `commit`. depth 0: none but where the mirror's own
/// history ends.
std::vector<std::string> shallow_commits(const Mirror& mirror, std::string_view commit, std::size_t depth);

/// A value of a git configuration file.
std::string config_quoted(std::string_view value);

}  // namespace runner::git
