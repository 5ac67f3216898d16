#pragma once
// Arguments of the commands that talk to a server (`runner serve`). Plain values; any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runner::cli {

/// Which server: --server, else $RUNNER_URL, else the socket in the data directory.
struct ServerChoice {
  std::string url;             // empty: not given
  std::filesystem::path data;  // empty: not given
};

struct ClientCommon {
  ServerChoice server;
  bool json = false, no_color = false, quiet = false;
};

enum class ProjectAction : std::uint8_t { add, list, show, set, remove, test };

struct ProjectOptions {
  ProjectAction action = ProjectAction::list;
  ClientCommon common;
  std::string name;
  std::optional<std::string> url, file, username;
  std::vector<std::string> branches, tags;   // patterns; empty: not given
  std::optional<std::chrono::seconds> poll;  // 0 = never
  std::optional<bool> paused;
  // Files with secrets; "-" is standard input, empty: not given.
  std::filesystem::path token_file, ssh_key_file, webhook_secret_file, forge_token_file;
  bool no_credential = false, no_webhook_secret = false;          // of set: these are removed
  bool no_forge_token = false;                                    // likewise
  std::optional<std::string> forge, forge_api, forge_repository;  // "auto" or "": as the URL says
  std::optional<bool> merge_requests;
  std::optional<std::int64_t> priority;
  std::vector<std::pair<std::string, std::string>> resource_groups;  // of set: name and process mode
};

enum class PipelineAction : std::uint8_t { run, list, show, watch, cancel, retry };

struct PipelineOptions {
  PipelineAction action = PipelineAction::list;
  ClientCommon common;
  std::string project;  // of run and list; may be empty in the latter
  std::int64_t id = 0;  // of the others
  std::optional<std::string> ref, status;
  std::vector<std::pair<std::string, std::string>> variables;
  std::optional<std::int64_t> priority;  // of run
  bool wait = false;
  std::size_t limit = 20;
};

enum class ScheduleAction : std::uint8_t { list, add, show, edit, remove, run };

struct ScheduleOptions {
  ScheduleAction action = ScheduleAction::list;
  ClientCommon common;
  std::string project;  // of add and list; may be empty in the latter
  std::int64_t id = 0;  // of the others
  std::optional<std::string> cron, time_zone, ref, description;
  std::vector<std::pair<std::string, std::string>> variables;
  bool no_variables = false;  // of edit: there are none from now on
  std::optional<bool> active;
  bool wait = false;
};

enum class VariableAction : std::uint8_t { set, list, remove };

struct VariableOptions {
  VariableAction action = VariableAction::list;
  ClientCommon common;
  std::string project, key;          // the key: of all but list
  std::optional<std::string> scope;  // of environments; of set: nullopt is all jobs
  std::optional<std::string> value;  // of set; neither value nor file: standard input
  std::filesystem::path file;
  std::string type = "env_var";
  bool masked = true;
  std::optional<bool> is_protected, raw;
  std::optional<std::string> description;
};

enum class AuditAction : std::uint8_t { list, export_all, verify, checkpoint };

struct AuditOptions {
  AuditAction action = AuditAction::list;
  ClientCommon common;
  std::size_t limit = 20;  // of list
  std::string actor, kind, project, environment, result;
  std::filesystem::path file, against;  // of verify: an export, checkpoints; "-" is standard input
};

enum class KeyAction : std::uint8_t { list, rotate, remove };

struct KeyOptions {
  KeyAction action = KeyAction::list;
  ClientCommon common;
  std::string id;    // of remove
  bool wait = true;  // of rotate
};

enum class RemoteJobAction : std::uint8_t { show, log, play, retry, cancel };

struct RemoteJobOptions {
  RemoteJobAction action = RemoteJobAction::show;
  ClientCommon common;
  std::int64_t id = 0;
  bool follow = false;
};

enum class AccountAction : std::uint8_t {
  token_create,
  token_list,
  token_revoke,
  user_add,
  user_list,
  user_set,
  role_list,
  role_set,
  role_remove,
};

struct AccountOptions {
  AccountAction action = AccountAction::user_list;
  ClientCommon common;
  std::string user;  // of tokens: empty = who calls, by the name on this machine
  std::string name;  // of a new token, or of a role
  std::int64_t id = 0;
  std::optional<std::string> role;
  std::optional<std::int64_t> expires_in_days;
  std::optional<bool> disabled;
  std::optional<std::vector<std::string>> groups, grants;
  std::vector<std::string> permissions;  // of a role
};

}  // namespace runner::cli
