#pragma once
// The target and the balancer that a block speaks of. Internal to this folder; one thread.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "deployments/balancer.h"
#include "deployments/target.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// Made in this order: the balancer may refer to the target, and is gone before it.
struct DeployParts {
  std::unique_ptr<Target> target;
  std::unique_ptr<Balancer> balancer;  // null: there is none
};

struct PartsPlace {
  std::filesystem::path workspace;
  std::filesystem::path directory;                    // of ours, for this environment; made
  const std::map<std::string, std::string>& secrets;  // by name
  std::string project, name;                          // of the environment
  std::map<std::string, std::string> variables;       // of the job
  std::map<std::string, std::string> environment;     // of commands that run here
  TellLine tell;
};

/// Reaches nothing. Throws Error{invalid_input} for what cannot be, with its key.
DeployParts make_parts(const pipelines::DeploySpec& spec, const PartsPlace& place);

}  // namespace runner::deployments
