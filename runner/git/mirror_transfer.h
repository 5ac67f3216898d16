#pragma once
// How a mirror comes by its content. Internal to this folder.

#include <map>
#include <string>

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
/// Refs of a mirror with the ids they point at, in hexadecimal.
using RefMap = std::map<std::string, std::string>;
/// What a mirror takes of a repository of this machine: its branches (what it knows of origin's where it has
/// none of that name), its tags, and `wanted`, which keeps that it was taken. Throws Error.
RefMap local_refs(const std::filesystem::path& git_dir, const std::string& wanted);
/// Makes these the refs of the mirror; commits taken before stay. Throws Error.
void set_refs(git_repository* mirror, const RefMap& refs);

}  // namespace runner::git
