#pragma once
// What HEAD, the refs and the configuration say. Internal to this folder.

#include "runner/git/local_repository.h"

struct git_repository;

namespace runner::git {

/// Throws Error when the repository is damaged.
LocalFacts read_head_facts(git_repository* repository);

}  // namespace runner::git
