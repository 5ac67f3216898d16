#pragma once
// Reads `deploy:` (docs/deployments.md) and checks what needs no variable. Internal to planning.

#include "pipelines/deploy_spec.h"
#include "pipelines/node.h"
#include "pipelines/shapes.h"

namespace runner::pipelines {

/// What is wrong is told to `in`, at its place; the spec is of no use then.
DeploySpec read_deploy_spec(Shapes& in, const Node& node);

/// Rules over several keys: docs/deployments.md, "What is refused". Called by read_deploy_spec().
void check_deploy_spec(Shapes& in, const Node& node, const DeploySpec& spec);

}  // namespace runner::pipelines
