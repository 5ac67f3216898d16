#pragma once
// How a mirror comes by its content. Internal to this folder.

#include <filesystem>
#include <stop_token>
#include <string>

#include "runner/base/fd.h"
#include "runner/git/mirror.h"
#include "runner/git/packed_refs.h"
#include "runner/git/remote_url.h"

namespace runner::git {

/// Objects first, then all refs at once. The caller holds the lock of the mirror. Throws Error, see
/// Mirror::fetch().
FetchResult transfer(git_repository* mirror, const std::filesystem::path& directory, const RemoteUrl& url,
                     const FetchRequest& request);

/// Held while the mirror is made or filled; ends with the process. Lies beside it, so that it can be held
/// before it is there. Waits for others; throws Error{cancelled}.
UniqueFd lock_mirror(const std::filesystem::path& directory, const std::stop_token& stop = {});
/// What killed processes left. The caller holds the lock, as for all below.
void remove_leftovers(const std::filesystem::path& directory);

/// `own_only`: files of another user are copied, as they may change under us; else links are made.
struct LinkRules {
  bool own_only = false;
};
/// Objects of a repository of this machine, also those it has from others, and where its history is cut off:
/// all that were there at the begin, whatever its owner packs meanwhile. Packs are seen whole or not at all.
/// Throws Error.
void link_repository(const std::filesystem::path& git_dir, const std::filesystem::path& mirror,
                     LinkRules rules);
/// What a mirror takes of a repository of this machine: its branches (what it knows of origin's where it has
/// none of that name), its tags, and `wanted`, which keeps that it was taken. Throws Error.
RefTargets local_refs(const std::filesystem::path& git_dir, const std::string& wanted);

}  // namespace runner::git
