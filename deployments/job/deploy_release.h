#pragma once
// What a job deploys, out of its workspace. Internal to this folder; one thread; blocks on the disk.

#include <filesystem>
#include <map>
#include <string>

#include "deployments/target.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

struct ReleasePlace {
  std::filesystem::path workspace;
  std::filesystem::path rendered;  // a directory of ours; made
  const std::map<std::string, std::string>& variables;
  std::string sha;  // of the commit: what is deployed when nothing is named
};

/// Everything by its digest, so that the same release has the same id wherever it is made. A file of `config`
/// whose name ends in .tmpl goes without that ending, its ${NAME} filled in; others as they are. Throws
/// Error: not_found, invalid_input (climbs out of the workspace, an image without digest, a name that has no
/// value, two files of one name).
Release make_release(const pipelines::ReleaseSource& source, const ReleasePlace& place);

}  // namespace runner::deployments
