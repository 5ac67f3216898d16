#pragma once
// Whether a daemon can take work: a thread of its own looks at the disk and the database, so that whoever
// asks has the answer at once, also while they hang.

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct HealthState {
  std::string disk, database, engine, migrations;  // why not; "" = well
  std::string key;                                 // the same, but work is taken all the same
  std::uint64_t free_bytes = 0, min_bytes = 0;
  double database_seconds = 0;  // what it took last
  std::int64_t schema = 0;      // number of the newest migration that the database has
  std::optional<TimePoint> checked_at;

  /// The first of what is wrong, for people; "" = nothing.
  const std::string& trouble() const;
};

/// Any thread.
class ServiceHealth {
 public:
  /// Looks once before it returns, and every second from then on. References must outlive it.
  ServiceHealth(storage::Store& store, const Clock& clock, std::filesystem::path data);
  ~ServiceHealth();
  ServiceHealth(const ServiceHealth&) = delete;
  ServiceHealth& operator=(const ServiceHealth&) = delete;

  HealthState state() const;
  std::string trouble() const { return state().trouble(); }
  bool good() const { return trouble().empty(); }
  /// What the engine met when it stored something; "" = it could.
  void tell_store_trouble(const std::string& why);

 private:
  void work();
  void look();
  void look_at_disk();
  void look_at_database();
  void look_at_key();

  storage::Store& store_;
  const Clock& clock_;
  const std::filesystem::path data_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  HealthState state_;
  std::optional<SteadyPoint> asked_;  // the database, which has not answered yet
  std::string told_;                  // of the trouble, to the log; the thread's own
  std::thread thread_;
};

}  // namespace runner::daemon
