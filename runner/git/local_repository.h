#pragma once
// The user's own working tree and repository, as a local run sees them. Everything here only reads; what is
// asked for is found out on the first question. Any thread; calls are serialised.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::git {

/// What HEAD and the remote say. Texts are empty where git knows nothing.
struct LocalFacts {
  std::string sha;               // 40 hex digits; empty: no commit yet
  std::string branch;            // empty: HEAD is detached
  std::string tag, tag_message;  // only when HEAD is detached and exactly at a tag
  std::string commit_message;
  std::string commit_author;          // "Name <mail>"
  std::string user_name, user_email;  // user.name and user.email of the configuration
  std::string commit_timestamp;       // committer's date and offset, "2024-01-31T16:47:55+01:00"
  std::string
      default_branch;  // origin/HEAD, else an existing main or master, else init.defaultBranch, else branch
  std::string origin_url;    // without credentials
  std::string project_path;  // "group/name", from origin's URL
  bool shallow = false;
};

/// Entries of the working tree by what git thinks of them; paths from its root, sorted.
struct WorkTreeEntries {
  std::vector<std::string> files;    // what a job sees: tracked and not deleted, or untracked and not ignored
  std::vector<std::string> ignored;  // topmost only: nothing tracked is at or below them
  std::vector<std::string> untracked;   // the part of `files` that is not in the index
  std::vector<std::string> submodules;  // directories the index has as a commit of another repository
};

class LocalRepository {
 public:
  /// Looks for a repository at `directory` and above it. Without one, is_repository() is false, root() is the
  /// directory and all its files count as tracked. Throws Error when there is one that cannot be read.
  static std::unique_ptr<LocalRepository> open(const std::filesystem::path& directory);
  /// The same, but everything is as a clean checkout of the commit that `revision` names: the working tree
  /// and the index do not count. Throws Error{not_found} when there is no such commit, or no repository.
  static std::unique_ptr<LocalRepository> open_at(const std::filesystem::path& directory,
                                                  const std::string& revision);
  ~LocalRepository();
  LocalRepository(const LocalRepository&) = delete;
  LocalRepository& operator=(const LocalRepository&) = delete;

  bool is_repository() const noexcept;
  /// Top of the working tree, absolute, links resolved, no slash at the end. A bare repository has none: the
  /// directory asked for then.
  const std::filesystem::path& root() const noexcept;
  /// The working tree's own git directory and the one that holds objects and refs (the same unless this is a
  /// linked working tree). Empty without a repository.
  const std::filesystem::path& git_dir() const noexcept;
  const std::filesystem::path& common_dir() const noexcept;

  /// The commit of open_at(); "" = the working tree counts.
  const std::string& commit() const noexcept;
  /// A file of the commit of open_at(); links within the commit are followed. nullopt: there is none.
  std::optional<std::string> committed_file(std::string_view path);

  const LocalFacts& facts();

  /// The commit that changes are counted from: on the default branch what origin has of it, or the first
  /// parent when that is HEAD itself; on another branch the merge base with the default branch; detached the
  /// first parent. Empty when there is none, and at a tag.
  const std::string& before_sha();
  /// Paths that differ between before_sha() and the working tree, untracked files included; sorted, both
  /// names of a rename, deleted ones too. nullopt without before_sha().
  std::optional<std::vector<std::string>> changed_files();
  /// The same counted from the merge base with a branch, a branch of origin, a tag or a commit.
  /// nullopt: no such ref, or no common history.
  std::optional<std::vector<std::string>> changed_since(std::string_view ref);

  const WorkTreeEntries& entries();
  const std::vector<std::string>& tracked_files() { return entries().files; }
  /// In the index.
  bool is_tracked(std::string_view path);
  /// Blob id (40 hex digits) of the content a job sees. nullopt: no file or link there.
  std::optional<std::string> blob_id(std::string_view path);
  /// The newest commit in HEAD's history that changed the path, as `git log -1 -- path` finds it.
  std::optional<std::string> last_commit(std::string_view path);

 private:
  friend class MaskBuilder;
  struct Impl;
  explicit LocalRepository(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::git
