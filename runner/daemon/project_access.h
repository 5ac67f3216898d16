#pragma once
// Who the daemon is to the repository of a project.

#include <filesystem>

#include "runner/base/fd.h"
#include "runner/git/remote.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

/// As long as it lives `access` can be used: a private key lies in memory only.
struct ProjectAccess {
  git::RemoteAccess access;
  UniqueFd key;
};

/// Reads the newest credential of each kind. `data_dir` has the known hosts. Throws Error.
ProjectAccess open_access(storage::Tx& tx, const storage::Sealer& sealer,
                          const storage::ProjectRecord& project, const std::filesystem::path& data_dir);

}  // namespace runner::daemon
