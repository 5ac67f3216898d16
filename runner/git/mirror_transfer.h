#pragma once
// How a mirror comes by its content. Internal to this folder.

#include "runner/base/fd.h"
#include "runner/git/mirror.h"

namespace runner::git {

/// Objects first, then refs: those that are gone there are removed, then the others are set, one by one. The
/// caller holds the lock of the mirror. Throws Error, see Mirror::fetch().
void transfer(git_repository* mirror, const FetchRequest& request);

/// Held while the mirror is made or filled. Lies beside it, so that it can be held before it is there.
UniqueFd lock_mirror(const std::filesystem::path& directory);
/// What killed processes left. The caller holds the lock, as for all below.
void remove_leftovers(const std::filesystem::path& directory);

/// Objects of a repository of this machine, also those it has from others, and where its history is cut off.
/// Packs are seen whole or not at all. Throws Error.
void link_repository(const std::filesystem::path& git_dir, const std::filesystem::path& mirror);
/// Its branches (what it knows of origin's where it has none of that name), its tags, and `wanted`, which
/// keeps that it was taken. Throws Error.
void copy_refs(const std::filesystem::path& git_dir, git_repository* mirror, const std::string& wanted);

}  // namespace runner::git
