#pragma once
// What HEAD, the refs and the configuration say. Internal to this folder.

#include "runner/git/local_repository.h"

struct git_repository;

namespace runner::git {

/// Throws Error when the repository is damaged. `commit`: as if that were checked out, by the name
/// `revision`: a branch, a tag, or a commit of the branch that is checked out.
LocalFacts read_head_facts(git_repository* repository, const std::string& commit = {},
                           const std::string& revision = {});

}  // namespace runner::git
