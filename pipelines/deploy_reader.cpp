#include "pipelines/deploy_reader.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "pipelines/deploy_keywords.h"
#include "pipelines/document.h"
#include "pipelines/variables.h"
#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 5> kTargets = {"script", "ssh", "compose", "swarm", "kubernetes"};
constexpr std::array<std::string_view, 4> kStrategies = {"recreate", "rolling", "blue_green", "canary"};
constexpr std::array<std::string_view, 3> kBalancers = {"none", "haproxy", "nginx"};
constexpr std::array<std::string_view, 3> kRestarts = {"resume", "rollback", "hold"};
constexpr std::array<std::string_view, 2> kOrders = {"start_first", "stop_first"};
constexpr std::array<std::string_view, 2> kSides = {"candidate", "stable"};
constexpr std::array<std::string_view, 2> kMetrics = {"http_5xx_ratio", "http_mean_seconds"};
constexpr std::array<std::string_view, 4> kReasons = {"health", "smoke", "checks", "timeout"};

template <typename Enum, std::size_t Size>
Enum enumerator_of(const std::array<std::string_view, Size>& words, std::string_view word) {
  return static_cast<Enum>(std::find(words.begin(), words.end(), word) - words.begin());
}

/// One mapping of the block: reads its keys into fields.
class Block {
 public:
  Block(Shapes& in, std::string path, const KeywordTable& table, const Node& node)
      : in_(in), path_(std::move(path)), table_(table), node_(node) {
    in_.check_keys(path_, table_, node_);
  }

  const Node* get(std::string_view key) const { return in_.get(table_, node_, key); }
  std::string path(std::string_view key) const { return path_ + ":" + std::string(key); }

  void text(std::string_view key, std::string& field) const {
    if (const Node* value = get(key)) field = in_.with_inputs(value->text(), value->range());
  }
  void texts(std::string_view key, std::vector<std::string>& field) const {
    if (const Node* value = get(key)) field = in_.strings(path(key), *value);
  }
  void flag(std::string_view key, bool& field) const {
    if (const Node* value = get(key)) field = value->boolean();
  }
  void count(std::string_view key, int& field, int least, int most) const {
    const Node* value = get(key);
    if (value == nullptr) return;
    if (value->integer() < least || value->integer() > most)
      in_.error("bad-value", value->range(),
                path(key) + " must be from " + std::to_string(least) + " to " + std::to_string(most));
    else
      field = static_cast<int>(value->integer());
  }
  void number(std::string_view key, std::optional<double>& field) const {
    if (const Node* value = get(key))
      field = value->kind() == NodeKind::integer ? static_cast<double>(value->integer()) : value->real();
  }
  void time(std::string_view key, milliseconds& field) const {
    const Node* value = get(key);
    if (value == nullptr) return;
    if (value->text() == "0" || value->text() == "0s") {
      field = milliseconds(0);
      return;
    }
    if (const auto duration = parse_duration(value->text()))
      field = *duration;
    else
      in_.error("bad-duration", value->range(),
                path(key) + " is not a duration: '" + std::string(value->text()) + "'",
                "such as 30s, '5 minutes' or 0");
  }
  template <typename Enum, std::size_t Size>
  void word(std::string_view key, const std::array<std::string_view, Size>& words, Enum& field) const {
    const Node* value = get(key);
    if (value == nullptr) return;
    if (const auto chosen = in_.one_of(path(key), *value, words)) field = enumerator_of<Enum>(words, *chosen);
  }
  void ports(std::map<std::string, int>& field) const {
    const Node* value = get("ports");
    if (value == nullptr) return;
    if (value->kind() == NodeKind::integer) {
      count("ports", field["single"], 1, 65535);
      return;
    }
    const Block both(in_, path("ports"), kDeployPortKeys, *value);
    for (const char* slot : {"blue", "green"})
      if (both.get(slot) != nullptr) both.count(slot, field[slot], 1, 65535);
  }
  /// A list of them.
  void replicas(std::vector<int>& field) const {
    Diagnostics nesting;
    for (const Node* item : flatten(*get("ports"), nesting)) {
      const bool fits = item->kind() == NodeKind::integer && item->integer() >= 1 && item->integer() <= 65535;
      if (fits)
        field.push_back(static_cast<int>(item->integer()));
      else
        in_.error("bad-value", item->range(), path("ports") + ": each is a port, from 1 to 65535");
    }
  }
  /// 200, or 200-299.
  void status(int& low, int& high) const {
    const Node* value = get("status");
    if (value == nullptr) return;
    const std::string_view text = value->text();
    const std::size_t dash = text.find('-');
    const auto from = parse_integer(text.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : parse_integer(text.substr(dash + 1));
    if (!from || !to || *from < 100 || *to > 599 || *from > *to) {
      in_.error("bad-value", value->range(), path("status") + " is no status: '" + std::string(text) + "'",
                "write it like 200 or 200-299");
      return;
    }
    low = static_cast<int>(*from);
    high = static_cast<int>(*to);
  }
  /// Secrets are never in the file.
  void secret(std::string_view key, std::string& field, bool or_file) const {
    const Node* value = get(key);
    if (value == nullptr) return;
    std::string_view name = value->text();
    if (name.starts_with("secret:") && is_variable_name(name.substr(7))) {
      field = name;
      return;
    }
    if (or_file && name.find('\n') == std::string_view::npos && !name.empty()) {
      field = name;
      return;
    }
    in_.error("bad-value", value->range(), path(key) + ": expected the name of a variable, not its value",
              "write secret:NAME, with the variable that holds it");
  }

 private:
  Shapes& in_;
  std::string path_;
  const KeywordTable& table_;
  const Node& node_;
};

/// "25%" or 25; `percent` says which.
std::optional<int> share_of(const Node& node, bool& percent) {
  std::string_view text = node.text();
  percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto value = parse_integer(trim(text));
  if (!value || *value < 0 || *value > 1'000'000) return std::nullopt;
  return static_cast<int>(*value);
}

void read_steps(Shapes& in, const Node& list, StrategySpec& strategy) {
  for (const Node* item : list.items()) {
    if (!item->is_map()) {
      in.wrong_type("deploy:strategy:steps", *item, "a mapping with weight");
      continue;
    }
    const Block block(in, "deploy:strategy:steps", kDeployStepKeys, *item);
    CanaryStep step;
    bool percent = false;
    const Node* weight = block.get("weight");
    const auto share = weight == nullptr ? std::nullopt : share_of(*weight, percent);
    if (!share || *share < 1 || *share > 100)
      in.error("bad-value", weight == nullptr ? item->range() : weight->range(),
               "deploy:strategy:steps: a step needs a weight from 1% to 100%");
    else
      step.weight = *share;
    block.time("hold", step.hold);
    block.flag("approve", step.approve);
    strategy.steps.push_back(step);
  }
}

void read_checks(Shapes& in, const Node& list, StrategySpec& strategy) {
  for (const Node* item : list.items()) {
    if (!item->is_map()) {
      in.wrong_type("deploy:strategy:checks", *item, "a mapping with metric");
      continue;
    }
    const Block block(in, "deploy:strategy:checks", kDeployCheckKeys, *item);
    CanaryCheck check;
    block.text("name", check.name);
    block.text("metric", check.metric);
    if (const Node* metric = block.get("metric"))
      in.one_of("deploy:strategy:checks:metric", *metric, kMetrics);
    else
      in.error("missing-key", item->range(), "deploy:strategy:checks: a check needs a metric");
    if (check.name.empty()) check.name = check.metric;
    if (const Node* of = block.get("of"))
      check.of = in.one_of("deploy:strategy:checks:of", *of, kSides).value_or("candidate");
    block.number("max", check.max);
    block.number("ratio", check.ratio);
    if (const Node* to = block.get("max_ratio_to"))
      check.max_ratio_to = in.one_of("deploy:strategy:checks:max_ratio_to", *to, kSides).value_or("stable");
    if (check.ratio.has_value() != !check.max_ratio_to.empty())
      in.error("missing-key", item->range(), "deploy:strategy:checks: max_ratio_to and ratio go together");
    if (!check.max && !check.ratio)
      in.error("missing-key", item->range(),
               "deploy:strategy:checks: a check needs max, or max_ratio_to and ratio");
    block.count("min_samples", check.min_samples, 0, 1'000'000'000);
    strategy.checks.push_back(std::move(check));
  }
}

void read_strategy(Shapes& in, const Node& node, StrategySpec& strategy) {
  if (!node.is_map()) {
    if (const auto word = in.one_of("deploy:strategy", node, kStrategies))
      strategy.type = enumerator_of<DeployStrategy>(kStrategies, *word);
    return;
  }
  const Block block(in, "deploy:strategy", kDeployStrategyKeys, node);
  block.word("type", kStrategies, strategy.type);
  if (block.get("type") == nullptr) in.error("missing-key", node.range(), "deploy:strategy needs a type");
  if (const Node* parallel = block.get("max_parallel")) {
    const auto share = share_of(*parallel, strategy.max_parallel.percent);
    if (!share || *share < 1 || (strategy.max_parallel.percent && *share > 100))
      in.error("bad-value", parallel->range(),
               "deploy:strategy:max_parallel is a number from 1, or a percentage");
    else
      strategy.max_parallel.count = *share;
  }
  block.time("pause_between", strategy.pause_between);
  if (const Node* order = block.get("order"))
    strategy.start_first = in.one_of("deploy:strategy:order", *order, kOrders) != "stop_first";
  if (const Node* steps = block.get("steps")) read_steps(in, *steps, strategy);
  if (const Node* checks = block.get("checks")) read_checks(in, *checks, strategy);
  if (const Node* limits = block.get("limits")) {
    const Block of(in, "deploy:strategy:limits", kDeployLimitKeys, *limits);
    of.count("failures", strategy.failures, 1, 1000);
    of.count("unknown", strategy.unknown, 1, 1000);
    of.time("interval", strategy.interval);
  }
}

void read_health(Shapes& in, const Node& node, ProbeSpec& probe) {
  const Block block(in, "deploy:health", kDeployHealthKeys, node);
  int kinds = 0;
  if (const Node* http = block.get("http")) {
    ++kinds;
    probe.kind = ProbeKind::http;
    const Block of(in, "deploy:health:http", kDeployHttpKeys, *http);
    of.text("path", probe.path);
    of.text("host", probe.host);
    of.count("port", probe.port, 1, 65535);
    of.status(probe.status_low, probe.status_high);
    if (!probe.path.starts_with('/') && probe.path.find('$') == std::string::npos)
      in.error("bad-value", http->range(), "deploy:health:http:path must begin with '/'");
  }
  if (const Node* tcp = block.get("tcp")) {
    ++kinds;
    probe.kind = ProbeKind::tcp;
    Block(in, "deploy:health:tcp", kDeployTcpKeys, *tcp).count("port", probe.port, 1, 65535);
  }
  if (block.get("exec") != nullptr) {
    ++kinds;
    probe.kind = ProbeKind::exec;
    block.text("exec", probe.command);
  }
  if (kinds != 1) in.error("missing-key", node.range(), "deploy:health needs one of http, tcp and exec");
  block.time("interval", probe.interval);
  block.time("timeout", probe.timeout);
  block.count("successes", probe.successes, 1, 1000);
  block.time("start_period", probe.start_period);
  block.time("deadline", probe.deadline);
}

void read_smoke_checks(Shapes& in, const Node& list, std::vector<SmokeCheck>& checks) {
  const auto read_one = [&](const Node& item) {
    SmokeCheck check;
    if (item.is_map()) {
      const Block block(in, "deploy:smoke", kDeploySmokeCheckKeys, item);
      block.text("http", check.url);
      block.status(check.status_low, check.status_high);
      if (check.url.empty()) in.error("missing-key", item.range(), "deploy:smoke: a check needs http, a URL");
    } else if (item.is_string()) {
      check.command = in.with_inputs(item.text(), item.range());
    } else {
      in.wrong_type("deploy:smoke", item, "a command or a mapping with http");
    }
    checks.push_back(std::move(check));
  };
  if (!list.is_list()) return read_one(list);
  for (const Node* item : list.items()) read_one(*item);
}

void read_migrate(Shapes& in, const Node& node, MigrationSpec& migration) {
  const Block block(in, "deploy:migrate", kDeployMigrateKeys, node);
  block.texts("run", migration.run);
  if (migration.run.empty()) in.error("missing-key", node.range(), "deploy:migrate needs run");
  block.texts("list", migration.list);
  // Shown to nobody yet.
  if (const Node* list = block.get("list"); list != nullptr && !in.silent())
    in.no_effect().try_emplace("deploy:migrate:list", list->range());
  block.texts("down", migration.down);
  block.texts("backup", migration.backup);
  block.flag("compatible", migration.compatible);
  block.flag("backup_before", migration.backup_before);
  block.flag("idempotent", migration.idempotent);
  block.time("timeout", migration.timeout);
  if (migration.backup_before && migration.backup.empty())
    in.error("missing-key", block.get("backup_before")->range(),
             "deploy:migrate:backup_before needs backup: the commands that make one");
}

void read_rollback(Shapes& in, const Node& node, RollbackSpec& rollback) {
  const Block block(in, "deploy:rollback", kDeployRollbackKeys, node);
  block.flag("auto", rollback.automatic);
  block.time("keep_old", rollback.keep_old);
  block.word("on_restart", kRestarts, rollback.on_restart);
  const Node* when = block.get("when");
  if (when == nullptr) return;
  std::vector<std::string> words;
  block.texts("when", words);
  for (const std::string& word : words)
    if (std::find(kReasons.begin(), kReasons.end(), word) == kReasons.end())
      in.error("bad-value", when->range(), "deploy:rollback:when: there is no reason '" + word + "'",
               "there are " + alternatives(kReasons));
  const auto has = [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  rollback.on_health = has("health");
  rollback.on_smoke = has("smoke");
  rollback.on_checks = has("checks");
  rollback.on_timeout = has("timeout");
}

void read_hosts(Shapes& in, const Node& node, std::vector<DeployHost>& hosts) {
  Diagnostics nesting;
  for (const Node* item : flatten(node, nesting)) {
    DeployHost& host = hosts.emplace_back();
    if (item->is_map()) {
      const Block of(in, "deploy:ssh:hosts", kDeployHostKeys, *item);
      of.text("address", host.address);
      of.text("root", host.root);
      of.ports(host.ports);
    } else if (item->is_string()) {
      host.address = in.with_inputs(item->text(), item->range());
    } else {
      in.wrong_type("deploy:ssh:hosts", *item, "an address, or a mapping with address, root and ports");
      continue;
    }
    if (host.address.empty())
      in.error("missing-key", item->range(), "deploy:ssh:hosts: a host needs an address");
  }
}

void read_target(Shapes& in, const Block& block, DeploySpec& spec) {
  if (const Node* ssh = block.get("ssh")) {
    const Block of(in, "deploy:ssh", kDeploySshKeys, *ssh);
    SshHosts& hosts = spec.ssh.emplace();
    if (const Node* list = of.get("hosts")) read_hosts(in, *list, hosts.hosts);
    of.text("user", hosts.user);
    of.secret("key", hosts.key, false);
    of.secret("known_hosts", hosts.known_hosts, true);
    of.text("jump", hosts.jump);
    of.text("root", hosts.root);
    of.text("service", hosts.service);
    of.text("start", hosts.start);
    of.text("stop", hosts.stop);
    of.text("status", hosts.status);
    of.ports(hosts.ports);
    of.count("keep_releases", hosts.keep_releases, 2, 1000);
  }
  if (const Node* compose = block.get("compose")) {
    const Block of(in, "deploy:compose", kDeployComposeKeys, *compose);
    ComposeService& service = spec.compose.emplace();
    of.text("file", service.file);
    of.text("service", service.service);
    of.text("host", service.host);
    of.text("image_variable", service.image_variable);
    of.text("port_variable", service.port_variable);
    if (const Node* ports = of.get("ports"); ports != nullptr && ports->is_list())
      of.replicas(service.replicas);
    else
      of.ports(service.ports);
  }
  if (const Node* script = block.get("script")) {
    const Block of(in, "deploy:script", kDeployScriptKeys, *script);
    DeployScripts& scripts = spec.script.emplace();
    of.texts("prepare", scripts.prepare);
    of.texts("activate", scripts.activate);
    of.texts("verify", scripts.verify);
    of.texts("rollback", scripts.rollback);
  }
}

}  // namespace

std::string_view to_string(DeployTarget target) noexcept {
  return kTargets[static_cast<std::size_t>(target)];
}
std::string_view to_string(DeployStrategy strategy) noexcept {
  return kStrategies[static_cast<std::size_t>(strategy)];
}
std::string_view to_string(BalancerKind kind) noexcept {
  return kind == BalancerKind::native ? "native" : kBalancers[static_cast<std::size_t>(kind)];
}
std::string_view to_string(AfterRestart after) noexcept {
  return kRestarts[static_cast<std::size_t>(after)];
}

DeploySpec read_deploy_spec(Shapes& in, const Node& node) {
  DeploySpec spec;
  const Block block(in, "deploy", kDeployKeys, node);
  block.word("target", kTargets, spec.target);
  if (const Node* release = block.get("release")) {
    const Block of(in, "deploy:release", kDeployReleaseKeys, *release);
    of.text("image", spec.release.image);
    of.text("artifact", spec.release.artifact);
    of.texts("config", spec.release.config);
  }
  read_target(in, block, spec);
  if (const Node* strategy = block.get("strategy")) read_strategy(in, *strategy, spec.strategy);
  if (const Node* balancer = block.get("balancer")) {
    const Block of(in, "deploy:balancer", kDeployBalancerKeys, *balancer);
    of.word("type", kBalancers, spec.balancer.type);
    of.texts("socket", spec.balancer.sockets);
    of.text("backend", spec.balancer.backend);
    of.text("server", spec.balancer.server);
    of.text("upstream_file", spec.balancer.upstream_file);
    of.text("reload", spec.balancer.reload);
    of.text("test", spec.balancer.test);
  }
  if (const Node* health = block.get("health")) read_health(in, *health, spec.health);
  if (const Node* smoke = block.get("smoke")) {
    const Block of(in, "deploy:smoke", kDeploySmokeKeys, *smoke);
    if (const Node* before = of.get("before_switch"))
      read_smoke_checks(in, *before, spec.smoke.before_switch);
    if (const Node* after = of.get("after_switch")) read_smoke_checks(in, *after, spec.smoke.after_switch);
    of.time("timeout", spec.smoke.timeout);
  }
  if (const Node* migrate = block.get("migrate")) read_migrate(in, *migrate, spec.migrate.emplace());
  if (const Node* drain = block.get("drain")) {
    const Block of(in, "deploy:drain", kDeployDrainKeys, *drain);
    of.time("timeout", spec.drain_timeout);
    of.time("stop_grace", spec.stop_grace);
  }
  if (const Node* rollback = block.get("rollback")) read_rollback(in, *rollback, spec.rollback);
  if (const Node* timeout = block.get("timeout")) {
    const Block of(in, "deploy:timeout", kDeployTimeoutKeys, *timeout);
    of.time("progress", spec.timeout.progress);
    of.time("total", spec.timeout.total);
    of.time("lock", spec.timeout.lock);
  }
  if (const Node* outputs = block.get("outputs")) {
    for (const MapEntry& output : outputs->entries()) {
      if (output.key != "url")
        in.error("unknown-key", output.key_range,
                 "deploy:outputs has the unknown key '" + std::string(output.key) + "'", "it has url alone");
      else if (const auto text = in.string("deploy:outputs", *output.value))
        spec.outputs.emplace(output.key, *text);
    }
  }
  check_deploy_spec(in, node, spec);
  return spec;
}

}  // namespace runner::pipelines
