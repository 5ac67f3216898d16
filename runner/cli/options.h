#pragma once
// The command line as plain values. CLI11 stays in options.cpp; everything else sees these structs.
// Nothing here touches the disk or the environment. One thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runner/cli/client_types.h"
#include "runner/cli/deploy_types.h"

namespace runner::cli {

enum class ExecutorChoice : std::uint8_t { automatic, shell, container };
enum class Shell : std::uint8_t { bash, zsh, fish };

struct SecretOption {
  std::string name;
  std::optional<std::string> value;  // nullopt: taken from the environment
};

struct ExecOptions {
  std::vector<std::string> jobs;  // empty = the whole pipeline
  std::string file;               // empty = the first default name that exists
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<SecretOption> secrets;
  std::vector<std::string> manual;
  ExecutorChoice executor = ExecutorChoice::automatic;
  std::string image;              // of jobs that name none, in a container; empty: those run in the shell
  std::string pull_policy;        // empty: if-not-present
  bool engine_socket = false;     // jobs in containers get that of the engine
  bool shell_on_failure = false;  // a person looks at what a failed job left
  std::size_t parallel = 0;       // jobs at the same time, 0 = by the number of cores
  std::optional<std::chrono::milliseconds> timeout;
  std::uint64_t max_artifact_bytes = 0;  // of one job, 0 = no limit
  std::optional<std::string> branch, tag;
  std::string commit;  // its pipeline and files; empty = the working tree
  std::string source = "push";
  bool list = false, plan = false, json = false, quiet = false, no_color = false;
  std::optional<std::string> explain;
  std::filesystem::path report, data, directory;

  /// Only looks at the pipeline: no job runs.
  bool only_shows() const { return list || plan || explain.has_value(); }
};

struct LintOptions {
  std::string file;
  bool json = false, no_color = false;
  std::filesystem::path directory;
};

/// What every command about kept things takes.
struct CommonOptions {
  std::filesystem::path data, directory;
  bool json = false, no_color = false;
};

enum class CacheAction : std::uint8_t { list, show, remove, collect, verify, explain };

struct CacheOptions {
  CacheAction action = CacheAction::list;
  CommonOptions common;
  std::vector<std::string> names;  // keys; of explain: jobs, empty = all
  std::optional<std::string> scope;
  bool all = false, quiet = false, dry_run = false, content = false;
  std::optional<std::uint64_t> budget;  // bytes
  std::optional<std::chrono::milliseconds> older_than;
  ExecOptions pipeline;  // explain: what the pipeline is told
};

/// `runner cache export` and `import`.
struct CacheTransferOptions {
  bool imports = false;
  CommonOptions common;
  std::vector<std::string> keys;  // empty = all
  std::optional<std::string> scope;
  std::filesystem::path place;  // where the packed caches are
};

enum class ArtifactAction : std::uint8_t { list, show, download, extract, remove };

struct ArtifactOptions {
  ArtifactAction action = ArtifactAction::list;
  CommonOptions common;             // extract: the directory is where files go
  std::vector<std::string> words;   // jobs or ids; extract: one, then paths in the archive
  std::optional<std::string> job;   // only of this job
  std::optional<std::int64_t> run;  // only of this run
  bool all = false;                 // of every project
  bool quiet = false, overwrite = false;
  std::filesystem::path output;  // of download; "-" is standard output
  // Artifacts of a job on a server.
  ServerChoice server;
  std::optional<std::int64_t> job_id;
  std::string kind = "archive";  // of download; or "reports"
};

struct DoctorOptions {
  bool json = false, no_color = false;
  std::filesystem::path data;
};

struct ServeOptions {
  std::filesystem::path data;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string url;                         // where people reach it; "" = nobody said
  std::filesystem::path certificate, key;  // both or none
  std::size_t parallel = 0;                // jobs at the same time, 0 = by the number of cores
  bool shell_only = false;                 // jobs that want an image run without it
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::hours> keep_logs;  // of pipelines; 0 = for ever
  std::string log_level = "info";
  bool json_log = false;
  std::filesystem::path log_file;            // empty = standard error
  std::uint64_t log_max_bytes = 64UL << 20;  // a larger one is put aside
  std::size_t log_keep = 14;                 // of those that were put aside
  std::filesystem::path config;              // empty: the default one, when it is there
  bool check_config = false;                 // looks at it only
  std::set<std::string> given;               // keys of that file of which options say more
};

struct VersionOptions {
  bool json = false;
};

struct CompletionOptions {
  Shell shell = Shell::bash;
};

/// Asked for: goes to standard output, exit 0.
struct HelpText {
  std::string text;
};

/// The command line is wrong: "runner: error: <message>" and the help, exit 2.
struct UsageError {
  std::string message;
  std::string help;  // may be empty
};

using Command =
    std::variant<ExecOptions, ServeOptions, LintOptions, CacheOptions, CacheTransferOptions, ArtifactOptions,
                 ProjectOptions, PipelineOptions, ScheduleOptions, VariableOptions, AuditOptions, KeyOptions,
                 RemoteJobOptions, AccountOptions, EnvironmentOptions, DeployOptions, DoctorOptions,
                 VersionOptions, CompletionOptions, HelpText, UsageError>;

Command parse_command_line(int argc, const char* const* argv);

/// For shell completion.
struct OptionInfo {
  std::vector<std::string> names;  // with their dashes
  std::string help;
  std::string value;                 // what it takes ("FILE", "JOB" ...), empty for a flag
  std::vector<std::string> choices;  // the only values it takes, empty = any
};
struct CommandInfo {
  std::string name, help;
  std::vector<OptionInfo> options;
  std::string positional;             // "JOB", "FILE" ..., empty = none
  std::vector<CommandInfo> commands;  // of a family: "list", "show" ...
};
std::vector<CommandInfo> describe_commands();

}  // namespace runner::cli
