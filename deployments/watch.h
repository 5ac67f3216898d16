#pragma once
// Looks after a deployment while it works: what people ask for, its deadlines, and whether it is still this
// process' to carry out. Internal to the driver.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "deployments/driver.h"
#include "deployments/phases.h"
#include "runner/base/synchronized.h"

namespace runner::deployments {

class Watch {
 public:
  /// A thread that looks each `parts.poll`, from here to the end of this object. References outlive it.
  Watch(const storage::DeploymentRecord& record, const pipelines::DeployTimeouts& timeouts,
        const DriverParts& parts, std::stop_token abort);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Requested once something is to end the way forward.
  std::stop_token stop() const { return stop_.get_token(); }
  /// Throws PhaseFailed or LostFence when it was.
  void check();
  /// Something was achieved: the time for progress begins anew. While `paused` it does not run.
  void progressed(bool paused = false);
  /// The way forward is given up: only the loss of the fence counts from now on.
  void retreat();

 private:
  void look();
  void end(Trouble trouble, std::string why);

  const std::int64_t deployment_, fence_;
  const pipelines::DeployTimeouts timeouts_;
  const DriverParts& parts_;
  const std::stop_token abort_;
  SteadyPoint total_end_;
  std::stop_source stop_;
  struct Seen {
    SteadyPoint progress_end;
    bool paused = false, retreating = false, lost = false;
    std::optional<std::pair<Trouble, std::string>> ended;
  };
  Synchronized<Seen> seen_;
  std::jthread thread_;
};

}  // namespace runner::deployments
