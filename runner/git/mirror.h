#pragma once
// A bare copy of a project's repository on this machine, from which checkouts are made without the network.
// Different objects on one directory, and different processes, may be used at the same time: fetches are
// serialised by a lock file beside it. One object: one thread at a time.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/git/remote.h"

struct git_repository;

namespace runner::git {

struct FetchProgress {
  std::uint64_t bytes = 0;                // received so far
  unsigned objects = 0, all_objects = 0;  // received, and how many there will be
};

struct FetchRequest {
  RemoteAccess access;
  RemoteLimits limits;
  /// Interrupts any wait; then Error{cancelled}.
  std::stop_token stop;
  /// What is fetched, and removed here when it is gone there. Default: all branches and tags.
  std::vector<std::string> refspecs = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"};
  /// Nothing is fetched when this commit (40 hex digits) is there already. Empty: always fetch.
  std::string wanted;
  /// Called while data arrives, on the thread of fetch().
  std::function<void(const FetchProgress&)> progress;
};

struct FetchResult {
  std::size_t changed_refs = 0;  // new, moved or removed
  std::uint64_t bytes = 0;       // received
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

  /// Brings it up to date. All refs change in one moment, when all their objects are on disk: a process that
  /// is killed anywhere leaves the old ones, and what it left is removed by the next fetch. Of a repository
  /// of this machine the first fetch links the packs, or copies those of another user. Blocks on the network,
  /// and on whoever fetches into the same mirror; `stop` ends both. Throws Error with the URL (without
  /// credentials), the reason and what may help, with the codes of list_refs(). What was there before stays
  /// then.
  FetchResult fetch(const FetchRequest& request);

  /// Takes what a repository of this machine has, without the network: its objects by hard links (copies on
  /// another file system), its branches and tags. Nothing is done when `wanted` (40 hex digits) was taken so
  /// before. `git_dir` is its common git directory. Throws Error.
  void take_local(const std::filesystem::path& git_dir, const std::string& wanted);

  /// The commit a name stands for: full ref, branch, tag, id (whole or shortened), revision such as HEAD~1.
  /// "" when there is none.
  std::string resolve(std::string_view name) const;
  bool has_commit(std::string_view id) const;
  /// Of two commits (40 hex digits). "" when there is none.
  std::string merge_base(const std::string& one, const std::string& other) const;
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
