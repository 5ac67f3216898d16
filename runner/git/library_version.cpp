#include "runner/git/library_version.h"

#include <git2.h>

namespace runner::git {

std::string library_version() {
  int major = 0, minor = 0, revision = 0;
  git_libgit2_version(&major, &minor, &revision);
  const int features = git_libgit2_features();
  std::string transports;
  if ((features & GIT_FEATURE_HTTPS) != 0) transports += "https";
  if ((features & GIT_FEATURE_SSH) != 0) transports += transports.empty() ? "ssh" : ", ssh";
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(revision) + " (" +
         (transports.empty() ? "neither https nor ssh" : transports) + ")";
}

}  // namespace runner::git
