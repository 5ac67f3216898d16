#pragma once
// The configuration file of a server (docs/serve.md): what `runner serve` is told, and the projects with
// their schedules. YAML, read with positions; secrets are named by file or environment variable and read at
// once. Blocks on the disk. Any thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipelines/diagnostic.h"
#include "runner/daemon/listen_address.h"
#include "runner/engine/resource_groups.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

inline constexpr const char* kDefaultConfig = "/etc/runner/config.yaml";

/// Containers of jobs; what is not said is as ContainerSettings has it.
struct ConfigContainers {
  std::filesystem::path engine;  // its socket; empty = the one that is there
  std::string image;             // of jobs that name none
  std::string pull_policy;
  std::vector<std::string> allowed_pull_policies;
  std::optional<bool> privileged, engine_socket;
  std::vector<std::string> engine_socket_projects;  // then of these only, when it names some
  std::optional<std::vector<std::string>> insecure_registries;
  std::optional<std::uint64_t> memory, shm_size, image_budget, build_cache_budget;
  std::optional<std::uint32_t> cpu_millis;
  std::optional<std::chrono::milliseconds> service_wait;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> ulimits;

  bool operator==(const ConfigContainers&) const = default;
};

/// What options of the command line say too; those win.
struct ConfigServer {
  std::optional<ListenAddress> listen;
  std::string url;                                         // empty = not said
  std::filesystem::path certificate, key, data, log_file;  // absolute; likewise
  std::optional<std::size_t> jobs;
  std::map<std::string, std::size_t> executor_jobs;  // of these, at most so many of an executor's
  std::optional<bool> shell_only;
  ConfigContainers containers;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::hours> keep_logs;  // 0 = for ever
  std::optional<std::string> log_level, log_format;
  std::optional<std::uint64_t> log_max_size;
  std::optional<std::size_t> log_keep;
};

/// The keys of the file of which the two say different things, by name.
std::vector<std::string> changed_keys(const ConfigServer& a, const ConfigServer& b);

struct ConfigSchedule {
  std::string name;
  std::string cron, time_zone = "UTC", ref;
  bool active = true;
  std::map<std::string, std::string> variables;
};

struct ConfigProject {
  /// Without id, version, time of creation, and what follows here.
  storage::ProjectRecord record;
  // nullopt: the file says nothing of it.
  std::optional<std::string> forge, forge_api, forge_repository;  // forge "": as the address says
  std::optional<bool> merge_requests;
  std::optional<std::int64_t> priority;
  std::map<std::string, engine::ResourceMode> resource_groups;
  // SECRET; likewise.
  std::optional<std::string> username, token, ssh_key, webhook_secret, forge_token;
  std::vector<ConfigSchedule> schedules;

  /// The fields of the API that the file keeps.
  std::vector<std::string> fields() const;
};

struct ConfigFile {
  std::filesystem::path path;  // absolute
  ConfigServer server;
  std::vector<ConfigProject> projects;
  std::set<std::string> secret_variables;  // of the environment: no business of jobs
};

/// Either the configuration, or what is wrong with the file.
struct ConfigReading {
  std::optional<ConfigFile> config;
  std::shared_ptr<pipelines::Sources> sources;
  pipelines::Diagnostics diagnostics;  // also with a configuration: warnings

  /// "FILE:LINE:COLUMN: what; how to mend it", a line for each.
  std::vector<std::string> lines() const;
};

/// Value of an environment variable, as getenv() has it.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

/// `now`: schedules that never come any more are refused. Throws Error when the file cannot be read,
/// {invalid_input} when there is none.
ConfigReading read_config(const std::filesystem::path& path, const Environment& environment, TimePoint now);

}  // namespace runner::daemon
