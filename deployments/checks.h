#pragma once
// The checks of a strategy: whether what the balancer counted says that the candidate does as it should.
// Pure; any thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "deployments/balancer.h"
#include "deployments/probe.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// What was counted in a stretch of time, of all places of one kind.
struct Traffic {
  std::uint64_t requests = 0, errors = 0;
  double mean_seconds = 0;  // by requests; 0 = unknown
};

/// Between two looks at a balancer. A counter that went back was counted anew: the balancer was restarted.
Traffic traffic_between(const std::map<Place, ServerCounters>& before,
                        const std::map<Place, ServerCounters>& after);

/// The worst of all checks: fail over unknown over pass. Unknown when there were too few samples.
Look judge(const std::vector<pipelines::CanaryCheck>& checks, const Traffic& candidate,
           const Traffic& stable);

}  // namespace runner::deployments
