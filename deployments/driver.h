#pragma once
// Carries one deployment out: from `locked` to an end, or from wherever it was when the process before this
// one died. Decides nothing about who may deploy; that is done when it is locked.
//
// Order of everything: the journal says what is about to be done, it is done, the journal says that it was.
// After a crash what was begun and not finished is looked at and done once more (every verb of a target may
// be repeated), except a migration, which is found again or asked about. A rollback is never rolled back.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "deployments/balancer.h"
#include "deployments/journal.h"
#include "deployments/probe.h"
#include "deployments/target.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// What is to be done: frozen when it was planned, with all variables put in.
struct DeployOrder {
  pipelines::DeploySpec spec;
  Release release;
  std::string environment;                 // project and name, for the fence
  std::map<std::string, std::string> env;  // of smoke checks and migrations; values may be secrets
  std::vector<std::string>
      keep_releases;  // ids that must not be removed from the target: those of the history
};

struct DriverParts {
  Target& target;
  Balancer* balancer = nullptr;
  Prober& prober;
  storage::Store& store;
  const Clock& clock;
  TellLine tell;       // unit "" for the whole
  OnChange on_change;  // may be empty
  /// Between two looks at what people ask for, and the shortest wait.
  std::chrono::milliseconds poll{250};
};

enum class DriveEnd : std::uint8_t {
  ended,  // in an end state, or rollback_failed
  lost,   // another process goes on with it
};

/// Blocks until the end; while it is paused, too. `abort` is a person's: what has begun is rolled back, which
/// takes its time, too. Throws Error when the store fails; another drive() goes on then.
DriveEnd drive(std::int64_t deployment, const DeployOrder& order, const DriverParts& parts,
               std::stop_token abort);

}  // namespace runner::deployments
