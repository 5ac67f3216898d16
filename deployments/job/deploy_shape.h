#pragma once
// The target and the balancer of a block, as make_parts() would make them, without making them. Pure; any
// thread.

#include "deployments/course.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// Hosts whose variables are not filled in are called as they are written.
CourseShape shape_of(const pipelines::DeploySpec& spec);

}  // namespace runner::deployments
