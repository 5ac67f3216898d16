#pragma once
// Between the engine and the gate of deployments: a job that deploys to a protected environment waits until
// the gate lets it begin, and the gate is told how it ended. What the gate decides is in the store; what is
// here is found again after a restart, from there and from the jobs that still wait.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "deployments/gate.h"
#include "runner/base/clock.h"
#include "runner/base/synchronized.h"
#include "runner/daemon/wall_timer.h"
#include "runner/engine/engine.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct DeskParts {
  storage::Store& store;
  const Clock& clock;
  // Of the engine; called by the desk's thread.
  std::function<void(std::int64_t pipeline, std::size_t job)> pass;
  std::function<void(std::int64_t pipeline, std::size_t job, std::string why)> turn_away;
  /// Of a job that has ended: another attempt.
  std::function<void(std::int64_t pipeline, std::size_t job)> again;
};

class DeployDesk {
 public:
  /// Reads what is protected and what is under way. Blocks on the store. Throws Error.
  explicit DeployDesk(DeskParts parts);
  ~DeployDesk() { stop(); }
  DeployDesk(const DeployDesk&) = delete;
  DeployDesk& operator=(const DeployDesk&) = delete;

  void start();
  void stop();

  /// The engine thread's question (EngineParts::holds). Does not block.
  bool holds(const engine::AtGate& job);
  /// In the transaction of a change; may be repeated. Any thread.
  void note(const engine::StoredChange& change);
  /// Something was committed. Any thread, does not block.
  void wake() noexcept { timer_.wake(); }
  /// Somebody decided, or changed what is protected. Any thread; blocks on the store.
  void changed();
  /// What the desk's thread does whenever it is woken. `due`: the gate may have another answer, for the time
  /// alone. Throws Error.
  void look(bool due);

 private:
  using Key = std::pair<std::int64_t, std::size_t>;  // pipeline, index in its plan
  /// A job that waits, or will once it is written.
  struct Waiting {
    std::int64_t attempt_id = 0;
    deployments::NewDeployment wanted;
    std::vector<std::size_t> sources = {};         // jobs of its pipeline whose artifacts it takes
    std::int64_t deployment = 0, environment = 0;  // 0: not made yet
    bool checked = false;                          // that it would deploy what its plan says
  };
  /// A job that ended, or will have once it is written.
  struct Ended {
    std::int64_t attempt_id = 0;
    std::int64_t deployment = 0;
  };
  /// Another attempt is to come, so that what is half done ends.
  struct Again {
    TimePoint at{};
    std::int64_t deployment = 0;
  };
  struct State {
    std::map<Key, Again> again;
    std::set<std::pair<std::string, std::string>> protected_ones;  // project, environment
    std::map<Key, Waiting> waiting;
    std::map<Key, std::int64_t> under_way;  // deployments
    std::map<Key, Ended> ended;
    /// Attempts of jobs that one which waits takes something of: it may be something else now.
    std::set<std::int64_t> renewed;
  };

  void read_protected();
  void recover();
  void work(const std::stop_token& stop);
  bool undecided();
  void settle_ended(deployments::Gate& gate);
  void settle_job(deployments::Gate& gate, std::int64_t deployment, const storage::JobRecord& job);
  void find_rollbacks();
  void try_again();
  void look_again_at(TimePoint time);
  void make_deployments(deployments::Gate& gate);
  void check_inputs(deployments::Gate& gate);
  void settle_waiting();
  std::set<std::int64_t> environments();
  std::optional<storage::JobRecord> attempt(std::int64_t id) const;
  deployments::Gate gate() const;

  const DeskParts parts_;
  Synchronized<State> state_;
  std::atomic<bool> changed_{true};  // the gate may have another answer
  std::optional<TimePoint> next_;    // the same, from then on; of the thread
  WallTimer timer_;
  std::jthread thread_;
};

}  // namespace runner::daemon
