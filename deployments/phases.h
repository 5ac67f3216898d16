#pragma once
// Does one phase to its places, with the deadlines of the deployment. Internal to the driver.

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "deployments/driver.h"

namespace runner::deployments {

/// Why a stretch of a deployment cannot go on, and whether that is a reason to roll back by itself.
enum class Trouble : std::uint8_t { health, smoke, checks, timeout, abort, machinery, unknown };

class PhaseFailed : public std::exception {
 public:
  PhaseFailed(Trouble trouble, std::string why) : trouble_(trouble), why_(std::move(why)) {}
  const char* what() const noexcept override { return why_.c_str(); }
  Trouble trouble() const noexcept { return trouble_; }

 private:
  Trouble trouble_;
  std::string why_;
};

/// Does `act(unit)` for each unit, at once when there are several. All are waited for; throws StaleFence or
/// LostFence if any did, else PhaseFailed{machinery} that names each unit that failed, else what the only
/// one threw.
void for_units(const std::vector<std::string>& units, const std::function<void(const std::string&)>& act);

/// Waits. False when it was asked to stop before.
bool wait_for(std::chrono::milliseconds time, const std::stop_token& stop);

/// Until `probe` passes as often in a row as it asks for. Throws PhaseFailed{health}.
void wait_healthy(const DeployOrder& order, const DriverParts& parts, const Place& place,
                  const std::stop_token& stop);

/// The smoke checks before or after the switch, one after the other, until one fails. Those that run
/// commands get RUNNER_CANDIDATE_URL. Throws PhaseFailed{smoke}.
void smoke(const std::vector<pipelines::SmokeCheck>& checks, const DeployOrder& order,
           const DriverParts& parts, const std::string& candidate_url, const std::stop_token& stop);

/// halt, place, start, probe, smoke, admit, drain. What a drain had to cut is told.
void perform(const Phase& phase, const DeployOrder& order, const DriverParts& parts,
             const std::stop_token& stop);

}  // namespace runner::deployments
