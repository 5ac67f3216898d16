#pragma once
// What a deployment is going to do and what it brings, for the people who are to agree to it: read from the
// frozen plan of its pipeline and from the mirror of its repository. Nothing that is secret leaves this file.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "runner/api/actions.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// Any thread. Blocks on the store and the disk. Throws Error.
class DeploySheets {
 public:
  /// References outlive it.
  DeploySheets(storage::Store& store, const storage::Sealer& sealer,
               std::function<std::filesystem::path(const storage::ProjectRecord&)> mirror_of)
      : store_(store), sealer_(sealer), mirror_of_(std::move(mirror_of)) {}

  /// See api::Actions.
  std::optional<api::DeploymentWork> work(const storage::DeploymentRecord& deployment,
                                          const deployments::Snapshot& before) const;
  git::CommitRange commits(const storage::ProjectRecord& project, const std::string& from,
                           const std::string& to, std::size_t limit) const;

 private:
  storage::Store& store_;
  const storage::Sealer& sealer_;
  const std::function<std::filesystem::path(const storage::ProjectRecord&)> mirror_of_;
};

}  // namespace runner::daemon
