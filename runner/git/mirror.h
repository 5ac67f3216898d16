#pragma once
// A bare copy of a project's repository on this machine, from which checkouts are made without the network.
// Different objects on one directory, and different processes, may be used at the same time: fetches are
// serialised by a lock file beside it. One object: one thread at a time.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct git_repository;

namespace runner::git {

struct Credentials {
  std::string user, password;  // password or token
  std::filesystem::path private_key;
  std::string passphrase;
  bool ssh_agent = false;
};

struct FetchRequest {
  /// A path, file://, http(s)://, ssh:// or host:path. May hold credentials; they are never shown or kept.
  std::string url;
  /// What is fetched, and removed here when it is gone there. Default: all branches and tags.
  std::vector<std::string> refspecs = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"};
  /// Nothing is fetched when this commit (40 hex digits) is there already. Empty: always fetch.
  std::string wanted;
  /// Asked when the remote wants to know who we are; `user` is that of the URL, or empty. nullopt: give up.
  std::function<std::optional<Credentials>(const std::string& url, const std::string& user)> credentials;
  /// Asked again and again while data arrives: true ends the fetch with Error{cancelled}.
  std::function<bool()> cancelled;
};

class Mirror {
 public:
  /// Made whole or not at all when it is missing; its parent too. Throws Error.
  static std::unique_ptr<Mirror> open(const std::filesystem::path& directory);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  const std::filesystem::path& directory() const noexcept;
  /// For this folder.
  git_repository* handle() const noexcept;

  /// Brings it up to date; locks and half-received packs of killed processes are removed. Throws Error with
  /// the URL (without credentials), the reason and what may help: unavailable, not_found, cancelled. What was
  /// there before stays then.
  void fetch(const FetchRequest& request);

  /// Takes what a repository of this machine has, without the network: its objects by hard links (copies on
  /// another file system), its branches and tags. Nothing is done when `wanted` (40 hex digits) was taken so
  /// before. `git_dir` is its common git directory. Throws Error.
  void take_local(const std::filesystem::path& git_dir, const std::string& wanted);

  /// The commit a name stands for: full ref, branch, tag, id (whole or shortened), revision such as HEAD~1.
  /// "" when there is none.
  std::string resolve(std::string_view name) const;
  bool has_commit(std::string_view id) const;
  /// Refs that begin with `prefix` with the ids they point at (annotated tags: of the tag), sorted.
  std::vector<std::pair<std::string, std::string>> refs(std::string_view prefix) const;
  /// What the remote's HEAD was at the last fetch, "main"; "" when it is unknown.
  std::string default_branch() const;

 private:
  struct Impl;
  explicit Mirror(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::git
