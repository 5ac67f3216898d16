#pragma once
// The part of a mirror that talks to a remote. Internal to this folder.

#include "runner/git/mirror.h"

namespace runner::git {

/// Objects first, then refs: those that are gone there are removed, then the others are set, one by one. The
/// caller holds the lock of the mirror. Throws Error, see Mirror::fetch().
void transfer(git_repository* mirror, const FetchRequest& request);

}  // namespace runner::git
