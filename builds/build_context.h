#pragma once
// What a build reads of the workspace, once: the directory, the Dockerfile, what is ignored.

#include <filesystem>
#include <string>

#include "builds/build_request.h"
#include "builds/ignore_rules.h"
#include "runner/base/fd.h"

namespace runner::builds {

struct BuildContext {
  UniqueFd directory;
  std::filesystem::path path;   // of the directory
  std::string dockerfile;       // its text
  std::string dockerfile_name;  // as messages call it: from the top of the workspace
  std::string ignore_text;      // of the file that counts: DOCKERFILE.dockerignore, else .dockerignore
  IgnoreRules rules;
};

/// Nothing of it is outside of the workspace, whatever links say. Throws Error{invalid_input}.
BuildContext open_context(const BuildRequest& request);

}  // namespace runner::builds
