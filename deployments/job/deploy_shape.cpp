#include "deployments/job/deploy_shape.h"

#include <algorithm>
#include <map>
#include <string>

#include "deployments/targets/ssh_options.h"
#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using pipelines::BalancerKind;
using pipelines::DeploySpec;
using pipelines::DeployTarget;

bool has_two(const std::map<std::string, int>& ports) {
  return ports.count("blue") > 0 && ports.count("green") > 0;
}

std::string unit_of(const std::string& address) {
  try {
    return parse_ssh_address(address).unit;
  } catch (const Error&) {
    return address;  // a variable that only the job knows
  }
}

}  // namespace

CourseShape shape_of(const DeploySpec& spec) {
  CourseShape shape;
  shape.balanced = spec.balancer.type == BalancerKind::haproxy || spec.balancer.type == BalancerKind::nginx;
  if (spec.target == DeployTarget::script) {
    shape.units = {"script"};
    shape.slots = true;
    shape.balanced = uses_slots(spec.strategy, true);
  } else if (spec.compose) {
    for (std::size_t n = 1; n <= spec.compose->replicas.size(); ++n)
      shape.units.push_back(spec.compose->service + "-" + std::to_string(n));
    if (shape.units.empty()) shape.units = {spec.compose->service};
    shape.slots = has_two(spec.compose->ports);
  } else if (spec.ssh) {
    for (const pipelines::DeployHost& host : spec.ssh->hosts) shape.units.push_back(unit_of(host.address));
    shape.slots = std::all_of(spec.ssh->hosts.begin(), spec.ssh->hosts.end(), [&](const auto& host) {
      return has_two(host.ports.empty() ? spec.ssh->ports : host.ports);
    });
  }
  return shape;
}

}  // namespace runner::deployments
