#pragma once
// Arguments of the commands about environments and deployments of a server. Plain values; any thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runner/cli/client_types.h"

namespace runner::cli {

enum class EnvironmentAction : std::uint8_t { list, show, set, history, freeze, diff };

struct EnvironmentOptions {
  EnvironmentAction action = EnvironmentAction::list;
  ClientCommon common;
  std::string project;
  std::string name;                     // of all but list
  std::string other;                    // of diff: an environment; "" = what ran there before
  std::filesystem::path protection;     // of set: a file; "-" is standard input
  std::optional<std::int64_t> version;  // of set
  std::string from, to, zone = "UTC";   // of freeze
  bool clear = false;                   // of freeze
};

enum class DeployAction : std::uint8_t {
  list,
  status,
  plan,
  diff,
  start,
  cancel,
  break_glass,
  approve,
  reject,
  watch,
  pause,
  resume,
  promote,
  abort,
  resolve,
  rollback,
  unlock,
};

struct DeployOptions {
  DeployAction action = DeployAction::list;
  ClientCommon common;
  std::string project, environment;  // of list, rollback and unlock
  std::int64_t id = 0;               // of the others
  std::string reason;                // of break_glass and unlock
  std::string comment;               // of approve, reject and resolve; may be empty but of the last
  std::int64_t to = 0;               // of rollback: a number of the environment; 0 = the one before
  bool wait = false;                 // of start and rollback
};

}  // namespace runner::cli
