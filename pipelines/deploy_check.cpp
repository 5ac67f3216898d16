// Rules over several keys of `deploy:`.

#include <algorithm>
#include <array>

#include "pipelines/deploy_reader.h"
#include "pipelines/job_model.h"

namespace runner::pipelines {
namespace {

using std::chrono::milliseconds;

class Check {
 public:
  Check(Shapes& in, const Node& node, const DeploySpec& spec) : in_(in), node_(node), spec_(spec) {}

  void all() {
    target();
    release();
    strategy();
    balancer();
    migration();
    deadlines();
  }

 private:
  SourceRange at(std::string_view key) const {
    const MapEntry* entry = node_.find_entry(key);
    return entry == nullptr ? node_.range() : entry->key_range;
  }
  bool set(std::string_view key) const {
    const Node* value = node_.find(key);
    return value != nullptr && !value->is_null();
  }
  /// compose:ports, as far as it is there.
  SourceRange at_ports() const {
    const Node* compose = node_.find("compose");
    const MapEntry* ports = compose == nullptr || !compose->is_map() ? nullptr : compose->find_entry("ports");
    return ports == nullptr ? at("compose") : ports->key_range;
  }
  bool is_list_of_ports() const {
    const Node* compose = node_.find("compose");
    const Node* ports = compose == nullptr || !compose->is_map() ? nullptr : compose->find("ports");
    return ports != nullptr && ports->is_list();
  }
  bool is(DeployStrategy type) const { return spec_.strategy.type == type; }
  bool two_at_once() const { return !is(DeployStrategy::recreate); }
  std::string strategy_name() const { return std::string(to_string(spec_.strategy.type)); }

  void target() {
    const std::string named(to_string(spec_.target));
    if (!set("target"))
      in_.error("missing-key", node_.range(), "deploy needs a target: script, ssh or compose");
    for (const std::string_view key : {"ssh", "compose", "script", "swarm", "kubernetes"}) {
      if (set("target") && key == named && !set(key))
        in_.error("missing-key", at("target"), "deploy:target " + named + " needs the mapping " + named);
      if (set("target") && key != named && set(key))
        in_.error("keys-exclude", at(key), "deploy:" + std::string(key) + " is not for the target " + named);
    }
    if (spec_.target == DeployTarget::swarm || spec_.target == DeployTarget::kubernetes)
      in_.error("unsupported", at("target"), "deploy:target " + named + " is not there yet",
                "script, ssh and compose are");
    if (spec_.ssh) ssh(*spec_.ssh);
    if (spec_.compose) compose(*spec_.compose);
    if (spec_.script && spec_.script->activate.empty())
      in_.error("missing-key", at("script"), "deploy:script needs activate");
  }

  void ssh(const SshHosts& ssh) {
    if (ssh.hosts.empty()) in_.error("missing-key", at("ssh"), "deploy:ssh needs hosts");
    const bool all_have_one =
        !ssh.hosts.empty() &&
        std::all_of(ssh.hosts.begin(), ssh.hosts.end(), [](const auto& host) { return !host.root.empty(); });
    if (ssh.root.empty() && !all_have_one)
      in_.error("missing-key", at("ssh"), "deploy:ssh needs root: a directory on the hosts");
    const auto is_relative = [](const std::string& root) {
      return !root.empty() && !root.starts_with('/') && !root.starts_with('$');
    };
    if (is_relative(ssh.root) || std::any_of(ssh.hosts.begin(), ssh.hosts.end(),
                                             [&](const auto& host) { return is_relative(host.root); }))
      in_.error("bad-value", at("ssh"), "deploy:ssh:root must be an absolute path");
    if (ssh.known_hosts.empty())
      in_.error("missing-key", at("ssh"), "deploy:ssh needs known_hosts: nobody is trusted at first sight",
                "put the output of ssh-keyscan, once compared, into a variable, and write secret:NAME");
    if (ssh.service.empty() == (ssh.start.empty() && ssh.stop.empty()))
      in_.error("missing-key", at("ssh"), "deploy:ssh needs either service, or start and stop");
    if (!ssh.start.empty() != !ssh.stop.empty())
      in_.error("missing-key", at("ssh"), "deploy:ssh: start and stop go together");
    const bool one_place =
        is(DeployStrategy::recreate) || (is(DeployStrategy::rolling) && !spec_.strategy.start_first);
    if (one_place && ssh.ports.count("single") == 0 && !ssh.ports.empty())
      in_.warning("useless-value", at("ssh"),
                  "deploy:ssh:ports has blue and green, but " + strategy_name() +
                      " runs in one place, whose port is not known",
                  "write the port alone, or choose blue_green");
    if (!is(DeployStrategy::blue_green) && !is(DeployStrategy::canary)) return;
    if (!ssh.service.empty() && ssh.service.find("%slot") == std::string::npos)
      in_.error("bad-value", at("ssh"),
                "deploy:ssh:service needs %slot for " + strategy_name() + ": two of them run at once",
                "such as " + ssh.service + "@%slot");
    const auto lacks_one = [](const auto& ports) {
      return ports.count("blue") == 0 || ports.count("green") == 0;
    };
    if (std::any_of(ssh.hosts.begin(), ssh.hosts.end(),
                    [&](const auto& host) { return lacks_one(host.ports.empty() ? ssh.ports : host.ports); }))
      in_.error("missing-key", at("ssh"), "deploy:ssh:ports needs blue and green for " + strategy_name());
  }

  void compose(const ComposeService& compose) {
    if (compose.file.empty() || compose.service.empty())
      in_.error("missing-key", at("compose"), "deploy:compose needs file and service");
    // What a variable stands for is known when it is deployed.
    const std::string& host = compose.host;
    if (!host.empty() && host.find('$') == std::string::npos && !host.starts_with("unix:///"))
      in_.error(
          "unsupported", at("compose"),
          "deploy:compose:host " + host + " is not there yet: only an engine on the machine of the job is",
          "write unix:///PATH of its socket, or run the job on that machine by its tags");
    is(DeployStrategy::rolling) ? replicas(compose) : places(compose);
    if (two_at_once() && spec_.health.port != 0)
      in_.error("bad-value", at("health"),
                "deploy:health has a port, but on this machine each that runs has one of its own",
                "leave it out: the ports of compose:ports are asked, or write health:exec");
  }

  void places(const ComposeService& compose) {
    const auto& ports = compose.ports;
    if (is_list_of_ports())
      return in_.error(
          "bad-value", at_ports(),
          "deploy:compose:ports is a list with a port for each replica, which is for rolling, not "
          "for " +
              strategy_name(),
          is(DeployStrategy::recreate) ? "write ports: PORT, or strategy: rolling"
                                       : "write ports: {blue: PORT, green: PORT}");
    const bool both = ports.count("blue") > 0 && ports.count("green") > 0;
    if ((is(DeployStrategy::blue_green) || is(DeployStrategy::canary)) && !both)
      in_.error("missing-key", at("compose"),
                "deploy:compose:ports needs blue and green for " + strategy_name());
    if (both && ports.at("blue") == ports.at("green"))
      in_.error("bad-value", at("compose"), "deploy:compose:ports: blue and green run at the same time",
                "give them two ports");
    if (is(DeployStrategy::recreate) && !ports.empty() && ports.count("single") == 0)
      in_.error("bad-value", at("compose"),
                "deploy:compose:ports has blue and green, but recreate runs in one place",
                "write the port alone, or choose blue_green");
    const bool asks_port = (spec_.health.kind == ProbeKind::http || spec_.health.kind == ProbeKind::tcp) &&
                           spec_.health.port == 0;
    if (is(DeployStrategy::recreate) && asks_port && ports.empty())
      in_.error("missing-key", at("compose"),
                "deploy:compose needs ports: the one that deploy:health asks, on this machine",
                "write ports: PORT, or health:exec, which runs in the container");
  }

  /// Of rolling: each has a port, and is exchanged in it.
  void replicas(const ComposeService& compose) {
    if (!is_list_of_ports() || node_.find("compose")->find("ports")->items().empty())
      return in_.error(
          "missing-key", at_ports(),
          "deploy:compose:ports needs a list for rolling: one port for each replica of the service",
          "such as ports: [8101, 8102, 8103], with a balancer before them; or recreate for one");
    std::vector<int> sorted = compose.replicas;
    std::sort(sorted.begin(), sorted.end());
    if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
      in_.error("bad-value", at_ports(),
                "deploy:compose:ports has " + std::to_string(*twice) +
                    " twice, but the replicas run at the same time",
                "give each a port of its own");
    if (const Node* strategy = node_.find("strategy"); strategy != nullptr && strategy->is_map())
      if (const MapEntry* order = strategy->find_entry("order");
          order != nullptr && spec_.strategy.start_first)
        in_.error(
            "bad-value", order->key_range,
            "deploy:strategy:order start_first is not for the target compose: a replica has one port, so "
            "the old one ends first",
            "leave it out, and have a replica more than you need; or choose blue_green");
    if (spec_.balancer.type == BalancerKind::none)
      in_.warning(
          "no-balancer", at("strategy"),
          "deploy:strategy rolling without a balancer: nobody takes a replica out of the traffic before "
          "it ends",
          "haproxy or nginx; or ignore this when nobody asks the replicas");
  }

  void release() {
    if (!spec_.release.image.empty() && !spec_.release.artifact.empty())
      in_.error("keys-exclude", at("release"), "deploy:release has either image or artifact");
    if (spec_.target == DeployTarget::compose && spec_.release.image.empty())
      in_.error("missing-key", at(set("release") ? "release" : "target"),
                "deploy:target compose needs release:image");
    if (spec_.target == DeployTarget::compose && !spec_.release.config.empty())
      in_.error("bad-value", at("release"), "deploy:release:config is not for the target compose",
                "the compose file has env_file and environment");
    if (spec_.target == DeployTarget::ssh && spec_.release.artifact.empty() && spec_.release.config.empty())
      in_.error("missing-key", at(set("release") ? "release" : "target"),
                "deploy:target ssh needs release:artifact");
    if (spec_.target == DeployTarget::ssh && !spec_.release.image.empty())
      in_.error("bad-value", at("release"), "deploy:release:image is not for the target ssh: hosts get files",
                "write release:artifact");
  }

  void strategy() {
    const StrategySpec& strategy = spec_.strategy;
    if (!strategy.steps.empty() && !is(DeployStrategy::canary))
      in_.error("keys-exclude", at("strategy"), "deploy:strategy:steps is for canary only");
    if (is(DeployStrategy::canary)) {
      if (strategy.steps.empty())
        in_.error("missing-key", at("strategy"), "deploy:strategy canary needs steps");
      for (std::size_t n = 1; n < strategy.steps.size(); ++n)
        if (strategy.steps[n].weight <= strategy.steps[n - 1].weight)
          in_.error("bad-value", at("strategy"), "deploy:strategy:steps: weights must go up");
      if (!strategy.steps.empty() && strategy.steps.back().weight != 100)
        in_.error("bad-value", at("strategy"), "deploy:strategy:steps must end at 100%");
    }
    const std::size_t units = spec_.ssh       ? spec_.ssh->hosts.size()
                              : spec_.compose ? spec_.compose->replicas.size()
                                              : 0;
    if (is(DeployStrategy::rolling) && units > 0 && !strategy.max_parallel.percent &&
        strategy.max_parallel.count >= static_cast<int>(units))
      in_.warning("no-effect", at("strategy"),
                  "deploy:strategy:max_parallel is all " + std::to_string(units) +
                      (spec_.ssh ? " hosts" : " replicas") + ": this equals recreate");
    if (two_at_once() && spec_.health.kind == ProbeKind::none &&
        !(spec_.script && !spec_.script->verify.empty()))
      in_.error("missing-key", at(set("health") ? "health" : "strategy"),
                "deploy:health is needed for " + strategy_name() + ": else nobody knows when to go on");
    if (!strategy.checks.empty() && spec_.balancer.type != BalancerKind::haproxy)
      in_.error("bad-value", at("strategy"),
                "deploy:strategy:checks needs the balancer haproxy, which counts the requests");
  }

  void balancer() {
    const BalancerSpec& balancer = spec_.balancer;
    if (spec_.target == DeployTarget::script && balancer.type != BalancerKind::none)
      in_.error("keys-exclude", at("balancer"),
                "deploy:balancer is not for the target script: its activate moves the traffic");
    const bool needs = (is(DeployStrategy::blue_green) || is(DeployStrategy::canary)) &&
                       (spec_.target == DeployTarget::ssh || spec_.target == DeployTarget::compose);
    if (needs && balancer.type == BalancerKind::none)
      in_.error("missing-key", at(set("balancer") ? "balancer" : "strategy"),
                "deploy:balancer is needed for " + strategy_name() + ": something must move the traffic",
                "haproxy or nginx");
    if (balancer.type == BalancerKind::haproxy && (balancer.sockets.empty() || balancer.backend.empty()))
      in_.error("missing-key", at("balancer"), "deploy:balancer haproxy needs socket and backend");
    if (balancer.type == BalancerKind::nginx && (balancer.upstream_file.empty() || balancer.reload.empty()))
      in_.error("missing-key", at("balancer"), "deploy:balancer nginx needs upstream_file and reload");
    if (balancer.type == BalancerKind::nginx)
      in_.warning(
          "drops-connections", at("balancer"),
          "nginx closes idle keep-alive connections with each reload: clients that do not try again see "
          "errors",
          is(DeployStrategy::canary) ? "haproxy changes weights without that" : "haproxy does without");
  }

  void migration() {
    if (!spec_.migrate) return;
    const MigrationSpec& migration = *spec_.migrate;
    if (!migration.compatible && two_at_once())
      in_.error("bad-value", at("migrate"),
                "deploy:migrate:compatible false cannot be used with " + strategy_name() +
                    ": the old code runs on the new schema for a while",
                "migrate in two steps, or use recreate");
    if (!migration.compatible && spec_.rollback.automatic && migration.down.empty())
      in_.error(
          "missing-key", at("migrate"),
          "deploy:migrate needs down: without it there is no way back for code that needs the old schema");
  }

  void deadlines() {
    const DeployTimeouts& timeout = spec_.timeout;
    const SourceRange where = at(set("timeout") ? "timeout" : set("health") ? "health" : "target");
    if (spec_.health.kind != ProbeKind::none && spec_.health.deadline >= timeout.progress)
      in_.error("bad-value", where, "deploy:health:deadline must be shorter than deploy:timeout:progress");
    if (timeout.progress >= timeout.total)
      in_.error("bad-value", where, "deploy:timeout:progress must be shorter than deploy:timeout:total");
    if (spec_.health.kind != ProbeKind::none &&
        spec_.health.interval * spec_.health.successes + spec_.health.start_period > spec_.health.deadline)
      in_.error("bad-value", at("health"),
                "deploy:health can never pass: start_period and " + std::to_string(spec_.health.successes) +
                    " intervals are longer than its deadline");
  }

  Shapes& in_;
  const Node& node_;
  const DeploySpec& spec_;
};

}  // namespace

void check_deploy_spec(Shapes& in, const Node& node, const DeploySpec& spec) {
  Check(in, node, spec).all();
}

}  // namespace runner::pipelines
