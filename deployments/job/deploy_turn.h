#pragma once
// Which deployment a job carries out, and under which fence. Internal to this folder; one thread; blocks on
// the store.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "deployments/job/deploy_request.h"
#include "deployments/state.h"
#include "deployments/target.h"
#include "runner/base/clock.h"
#include "runner/base/fd.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/store.h"

namespace runner::deployments {

/// The directory of an environment below DeployRequest::places: named by its digest, as names may hold
/// anything.
std::filesystem::path place_of(const DeployRequest& request);

/// Held for as long as this process works on the environment: nobody else of this machine does meanwhile.
/// Waits for who does, such as a process before this one that is about to end. Throws Error: conflict when it
/// still is held after `patience`, cancelled.
UniqueFd take_place(const std::filesystem::path& place, std::chrono::milliseconds patience,
                    const std::stop_token& stop);

class DeployTurn {
 public:
  /// References outlive it.
  DeployTurn(storage::Store& store, const Clock& clock, const DeployRequest& request)
      : store_(store), clock_(clock), request_(request) {}

  /// The one the gate has let through; without a gate a new one, that takes over what a dead process left of
  /// the environment, or that one itself when it is of the same release. Throws Error{conflict} when there is
  /// none that may begin.
  storage::DeploymentRecord begin(const Release& release);
  /// A fence of its own, above `at_least`: what a process before this one left running may do no more.
  storage::DeploymentRecord take_fence(std::int64_t deployment, std::uint64_t at_least = 0);
  storage::DeploymentRecord now(std::int64_t deployment) const;
  /// The releases that ran there, the newest first, each once.
  std::vector<std::string> history(std::int64_t environment, std::size_t limit) const;
  /// Ends one that somebody else has taken from us on the target: what it left is theirs.
  void lose(std::int64_t deployment, const std::string& why);

 private:
  storage::DeploymentRecord begin_gated();
  storage::DeploymentRecord begin_alone(const Release& release);

  storage::Store& store_;
  const Clock& clock_;
  const DeployRequest& request_;
};

}  // namespace runner::deployments
