#pragma once
// `deploy:` in place of a script, as the file has it: docs/deployments.md. Plain values, checked as far as no
// variable is needed; texts are not expanded. Durations are milliseconds.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::pipelines {

enum class DeployTarget : std::uint8_t { script, ssh, compose, swarm, kubernetes };
enum class DeployStrategy : std::uint8_t { recreate, rolling, blue_green, canary };
enum class BalancerKind : std::uint8_t { none, haproxy, nginx, native };
enum class ProbeKind : std::uint8_t { none, http, tcp, exec };
enum class AfterRestart : std::uint8_t { resume, rollback, hold };
/// The words of the file; "" for no enumerator.
std::string_view to_string(DeployTarget target) noexcept;
std::string_view to_string(DeployStrategy strategy) noexcept;
std::string_view to_string(BalancerKind kind) noexcept;
std::string_view to_string(AfterRestart after) noexcept;

struct ReleaseSource {
  std::string image;                // a tag is resolved to a digest when the deployment is planned
  std::string artifact;             // a path in the job's workspace
  std::vector<std::string> config;  // templates there
};

struct DeployHost {
  std::string address;               // [USER@]NAME[:PORT]
  std::string root;                  // "": that of all
  std::map<std::string, int> ports;  // empty: those of all
};

struct SshHosts {
  std::vector<DeployHost> hosts;
  std::string user, key, known_hosts, jump;
  std::string root, service;         // a unit of systemd, with %slot for two
  std::string start, stop, status;   // in place of `service`
  std::map<std::string, int> ports;  // slot -> where the application answers
  int keep_releases = 5;
};

struct ComposeService {
  std::string file, service, host;       // host: [USER@]NAME by ssh; "" = the engine here
  std::string image_variable = "IMAGE";  // of the file: what gets the release's image
  std::string port_variable = "PORT";    // the port the service publishes
  std::map<std::string, int> ports;      // slot -> port
  std::vector<int> replicas;             // of rolling, in place of `ports`: the port of each
};

/// Commands of `target: script`.
struct DeployScripts {
  std::vector<std::string> prepare, activate, verify, rollback;
};

/// "25%" or "2" of them.
struct Share {
  int count = 1;
  bool percent = false;
};

struct CanaryStep {
  int weight = 100;  // percent
  std::chrono::milliseconds hold{0};
  bool approve = false;  // a person says when it goes on
};

struct CanaryCheck {
  std::string name, of = "candidate";  // or stable
  std::string metric;                  // http_5xx_ratio, http_mean_seconds
  std::optional<double> max;           // of the value itself
  std::optional<double> ratio;         // of the value to that of `max_ratio_to`
  std::string max_ratio_to, prometheus;
  int min_samples = 0;
};

struct StrategySpec {
  DeployStrategy type = DeployStrategy::recreate;
  Share max_parallel;
  std::chrono::milliseconds pause_between{0};
  bool start_first = true;  // rolling of what can run twice on one unit
  std::vector<CanaryStep> steps;
  std::vector<CanaryCheck> checks;
  int failures = 3, unknown = 5;               // so many in a row end a step
  std::chrono::milliseconds interval{20'000};  // between two looks at the checks
};

struct BalancerSpec {
  BalancerKind type = BalancerKind::none;
  std::vector<std::string> sockets;         // HAProxy: paths, or HOST:PORT
  std::string backend, server;              // server: "%unit-%slot"
  std::string upstream_file, reload, test;  // nginx
};

struct ProbeSpec {
  ProbeKind kind = ProbeKind::none;
  std::string path = "/", host;  // host: of the request; "" = the unit's
  std::string command;           // exec, run on the unit
  int port = 0;                  // 0 = the slot's
  int status_low = 200, status_high = 399;
  std::chrono::milliseconds interval{2'000}, timeout{2'000}, start_period{0}, deadline{120'000};
  int successes = 3;  // in a row
};

/// One check after or before traffic is switched: a command, or a URL.
struct SmokeCheck {
  std::string command, url;
  int status_low = 200, status_high = 399;
};

struct SmokeSpec {
  std::vector<SmokeCheck> before_switch, after_switch;
  std::chrono::milliseconds timeout{120'000};
};

struct MigrationSpec {
  std::vector<std::string> run, list, down;
  bool compatible = true;  // the old code works with the new schema
  bool backup_before = false, idempotent = false;
  std::vector<std::string> backup;
  std::chrono::milliseconds timeout{900'000};
};

struct RollbackSpec {
  bool automatic = true;
  bool on_health = true, on_smoke = true, on_checks = true, on_timeout = true;  // an abort always does
  std::chrono::milliseconds keep_old{0};
  AfterRestart on_restart = AfterRestart::resume;
};

struct DeployTimeouts {
  std::chrono::milliseconds progress{600'000}, total{3'600'000}, lock{1'800'000};
};

struct DeploySpec {
  ReleaseSource release;
  DeployTarget target = DeployTarget::script;
  std::optional<SshHosts> ssh;
  std::optional<ComposeService> compose;
  std::optional<DeployScripts> script;
  StrategySpec strategy;
  BalancerSpec balancer;
  ProbeSpec health;
  SmokeSpec smoke;
  std::optional<MigrationSpec> migrate;
  std::chrono::milliseconds drain_timeout{30'000}, stop_grace{10'000};
  RollbackSpec rollback;
  DeployTimeouts timeout;
  std::map<std::string, std::string> outputs;
};

}  // namespace runner::pipelines
