#pragma once
// What planning is told of a commit on a server. Blocks on the disk.

#include <string>

#include "pipelines/facts.h"
#include "runner/daemon/trigger.h"
#include "runner/git/local_repository.h"
#include "runner/git/mirror.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

/// "main" of "refs/heads/main", "v1" of "refs/tags/v1", "pull/7/head" of "refs/pull/7/head": what pipelines
/// of the ref are listed under. Pure.
std::string short_ref(const std::string& ref);

/// All but the numbers of the pipeline and its time. `commit` is that of the trigger in `mirror`;
/// `server_url` counts where the repository's address names no server.
pipelines::PipelineFacts facts_of(const storage::ProjectRecord& project, const git::Mirror& mirror,
                                  git::LocalRepository& commit, const Trigger& trigger,
                                  const std::string& server_url);

}  // namespace runner::daemon
