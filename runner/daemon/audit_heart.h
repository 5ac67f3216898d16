#pragma once
// Keeps the audit log going while the server runs: that it was started and stopped is a record, and each hour
// one that says it lives, so that a silence shows. With each of them a signed checkpoint goes to the server's
// own log, which people send elsewhere: whoever owns the database cannot change it there.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "runner/base/clock.h"
#include "runner/storage/audit_chain.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// Any thread. Owns one, which blocks on the store.
class AuditHeart {
 public:
  /// References outlive it. Writes nothing yet. `version`: of the program.
  AuditHeart(storage::Store& store, const storage::AuditKey& key, const Clock& clock, std::string version,
             std::chrono::milliseconds interval = std::chrono::hours(1));
  /// As stop().
  ~AuditHeart();
  AuditHeart(const AuditHeart&) = delete;
  AuditHeart& operator=(const AuditHeart&) = delete;

  /// Writes that the server was started. Once. Throws Error.
  void start();
  /// Writes that it was stopped, when it was started. Idempotent.
  void stop() noexcept;

 private:
  void beat(const char* action, const std::string& reason);
  void run(const std::stop_token& stop);

  storage::Store& store_;
  const storage::AuditKey& key_;
  const Clock& clock_;
  const std::string version_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread thread_;
};

}  // namespace runner::daemon
