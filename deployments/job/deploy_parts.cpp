#include "deployments/job/deploy_parts.h"

#include <utility>

#include "deployments/balancers/haproxy.h"
#include "deployments/balancers/nginx.h"
#include "deployments/job/deploy_image.h"
#include "deployments/strategy.h"
#include "deployments/targets/compose_target.h"
#include "deployments/targets/script.h"
#include "deployments/targets/ssh_target.h"
#include "pipelines/deploy_block.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using pipelines::BalancerKind;
using pipelines::DeploySpec;
using pipelines::DeployTarget;

const std::string& secret_of(const std::string& text, const std::string& key, const PartsPlace& place) {
  const auto found = place.secrets.find(std::string(pipelines::secret_name(text)));
  if (found == place.secrets.end() || trim(found->second).empty())
    throw Error(ErrorCode::invalid_input,
                key + ": the job has no variable " + in_quotes(pipelines::secret_name(text)) +
                    ", or it is empty; add it to the project's variables (a protected one is only for "
                    "protected branches)");
  return found->second;
}

std::map<Slot, std::uint16_t> ports_of(const std::map<std::string, int>& named) {
  std::map<Slot, std::uint16_t> ports;
  for (const auto& [name, port] : named)
    if (const auto slot = parse_slot(name)) ports[*slot] = static_cast<std::uint16_t>(port);
  return ports;
}

std::unique_ptr<Target> make_ssh(const pipelines::SshHosts& hosts, const PartsPlace& place) {
  SshOptions options;
  for (const pipelines::DeployHost& host : hosts.hosts)
    options.hosts.push_back({host.address, host.root, ports_of(host.ports)});
  options.user = hosts.user;
  if (!hosts.key.empty()) {
    options.private_key = secret_of(hosts.key, "deploy:ssh:key", place);
    // Without its last line end ssh takes a key for damaged, and variables are often without.
    if (!options.private_key.ends_with('\n')) options.private_key += '\n';
  } else if (const auto agent = place.environment.find("SSH_AUTH_SOCK"); agent != place.environment.end()) {
    options.agent_socket = agent->second;
  }
  if (!pipelines::secret_name(hosts.known_hosts).empty())
    options.known_hosts = secret_of(hosts.known_hosts, "deploy:ssh:known_hosts", place);
  else
    options.known_hosts_file = place.workspace / hosts.known_hosts;
  options.jump = hosts.jump;
  options.root = hosts.root;
  options.service = hosts.service;
  options.start = hosts.start;
  options.stop = hosts.stop;
  options.status = hosts.status;
  options.ports = ports_of(hosts.ports);
  return std::make_unique<SshTarget>(std::move(options));
}

std::unique_ptr<Target> make_compose(const pipelines::ComposeService& service, const PartsPlace& place) {
  ComposeOptions options;
  options.socket = compose_socket(service.host, place.environment);
  // What `runner exec` calls a project is a directory.
  options.project = compose_project(std::filesystem::path(place.project).filename().native(), place.name);
  options.service = service.service;
  options.image_variable = service.image_variable;
  options.port_variable = service.port_variable;
  options.ports = ports_of(service.ports);
  options.replicas.assign(service.replicas.begin(), service.replicas.end());
  options.variables = place.variables;
  options.workspace = place.workspace;
  options.directory = place.directory / "compose";
  options.logins = registry_logins(place.variables);
  options.tell = place.tell;
  return std::make_unique<ComposeTarget>(std::move(options));
}

std::unique_ptr<ScriptTarget> make_script(const DeploySpec& spec, const PartsPlace& place) {
  const auto lines = [](const std::vector<std::string>& commands) {
    std::string text;
    for (const std::string& command : commands) text += command + "\n";
    return text;
  };
  ScriptOptions options;
  options.prepare = lines(spec.script->prepare);
  options.activate = lines(spec.script->activate);
  options.verify = lines(spec.script->verify);
  options.rollback = lines(spec.script->rollback);
  options.directory = place.directory / "script";
  options.environment = place.environment;
  options.timeout = spec.timeout.progress;
  options.tell = place.tell;
  return std::make_unique<ScriptTarget>(std::move(options));
}

/// Every place a server of the balancer may stand for.
std::vector<Place> all_places(const Target& target, const pipelines::StrategySpec& strategy) {
  std::vector<Place> places;
  for (const std::string& unit : target.units()) {
    if (!uses_slots(strategy, target.has_slots()))
      places.push_back({unit, Slot::single});
    else
      for (const Slot slot : {Slot::blue, Slot::green}) places.push_back({unit, slot});
  }
  return places;
}

std::unique_ptr<Balancer> make_nginx(const DeploySpec& spec, const Target& target) {
  NginxOptions options;
  options.file = spec.balancer.upstream_file;
  for (const Place& place : all_places(target, spec.strategy)) {
    const Endpoint at = target.endpoint(place.unit, place.slot);
    options.addresses[place] = at.host + ":" + std::to_string(at.port);
  }
  if (!spec.balancer.test.empty()) options.test = {"sh", "-c", spec.balancer.test};
  if (!spec.balancer.reload.empty()) options.reload = {"sh", "-c", spec.balancer.reload};
  const std::filesystem::path pid = "/run/nginx.pid";
  if (std::filesystem::exists(pid)) options.pid_file = pid;
  return std::make_unique<NginxBalancer>(std::move(options));
}

}  // namespace

DeployParts make_parts(const DeploySpec& spec, const PartsPlace& place) {
  make_directories(place.directory, 0700);
  DeployParts parts;
  if (spec.target == DeployTarget::script) {
    auto script = make_script(spec, place);
    if (uses_slots(spec.strategy, true)) parts.balancer = std::make_unique<ScriptBalancer>(*script);
    parts.target = std::move(script);
    return parts;
  }
  if (spec.target == DeployTarget::compose)
    parts.target = make_compose(*spec.compose, place);
  else if (spec.target == DeployTarget::ssh)
    parts.target = make_ssh(*spec.ssh, place);
  else
    throw Error(ErrorCode::invalid_input,
                "deploy:target " + std::string(to_string(spec.target)) + " is not available in this version");
  if (spec.balancer.type == BalancerKind::haproxy)
    parts.balancer = std::make_unique<HaproxyBalancer>(
        HaproxyOptions{spec.balancer.sockets, spec.balancer.backend, spec.balancer.server});
  else if (spec.balancer.type == BalancerKind::nginx)
    parts.balancer = make_nginx(spec, *parts.target);
  return parts;
}

}  // namespace runner::deployments
