#pragma once
// The inside of LocalRepository, for this folder only. Every member function is called with the lock held.

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runner/git/git_handles.h"
#include "runner/git/local_repository.h"

namespace runner::git {

struct LocalRepository::Impl {
  git_index* open_index();
  const LocalFacts& get_facts();
  const WorkTreeEntries& get_entries();
  const std::string& get_before_sha();
  std::vector<std::string> changes_from(const std::string& base);
  /// Looks up a path of the commit; null when there is none.
  Handle<git_tree_entry> committed(std::string_view path);

  std::mutex mutex;
  Library library;  // before the handles: it goes last
  Handle<git_repository> repository;
  Handle<git_index> index;
  std::filesystem::path root, git_dir, common_dir;
  std::string commit, revision;  // of open_at(), else empty
  std::optional<LocalFacts> facts;
  std::optional<WorkTreeEntries> entries;
  std::optional<std::string> before_sha;
};

}  // namespace runner::git
