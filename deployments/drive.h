#pragma once
// One deployment on its way. Internal to the driver: driver.cpp goes forward, drive_hold.cpp waits and looks,
// drive_rollback.cpp goes back.

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "deployments/checks.h"
#include "deployments/course.h"
#include "deployments/driver.h"
#include "deployments/phases.h"
#include "deployments/watch.h"

namespace runner::deployments {

class Drive {
 public:
  Drive(std::int64_t deployment, const DeployOrder& order, const DriverParts& parts, std::stop_token abort);
  DriveEnd run();

 private:
  void advance();
  void claim();
  void prepare();
  void take_snapshot();
  void migrate();
  void run_migration(const MigrationRun& wanted);
  void go_forward();
  void verify();
  void finish();
  /// A process before this one got as far as this: whether what is seen fits.
  void recover();

  void do_phase(Part part, std::size_t n, const Phase& phase);
  void hold(std::size_t n, const Phase& phase);
  void promote(std::size_t n);
  /// Until a person says so; the state after it is `after`.
  void pause(const std::string& why, State after);
  /// Where a pause leads back to, as far as the journal says.
  State after_pause();
  /// A person may have asked for it.
  void pause_if_asked();

  /// Whatever stops the way forward ends here: nothing was done, or all of it is undone.
  void give_up(Trouble trouble, const std::string& why);
  void roll_back();
  /// "" or why it failed.
  std::string roll_back_unit(const std::string& unit, std::size_t first_n);
  std::string undo_migration();

  const Snapshot& before();
  StrategyInput input() const;
  void tell(std::string_view line) const { parts_.tell("", line); }

  const DeployOrder& order_;
  const DriverParts& parts_;
  Journal journal_;
  Watch watch_;
  bool recovering_ = false;
  std::optional<Snapshot> before_;
  std::mutex rollback_lock_;  // of journal and balancer while units go back at once
};

}  // namespace runner::deployments
