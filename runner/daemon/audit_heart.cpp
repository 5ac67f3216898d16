#include "runner/daemon/audit_heart.h"

#include <exception>
#include <utility>

#include "runner/base/log.h"
#include "runner/storage/audit_table.h"

namespace runner::daemon {

AuditHeart::AuditHeart(storage::Store& store, const storage::AuditKey& key, const Clock& clock,
                       std::string version, std::chrono::milliseconds interval)
    : store_(store), key_(key), clock_(clock), version_(std::move(version)), interval_(interval) {}

AuditHeart::~AuditHeart() {
  stop();
}

void AuditHeart::start() {
  beat("server.started", "version " + version_);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void AuditHeart::stop() noexcept {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  try {
    beat("server.stopped", "");
  } catch (const std::exception& error) {
    log_error("audit", std::string("cannot write that the server stops: ") + error.what());
  }
}

void AuditHeart::beat(const char* action, const std::string& reason) {
  storage::AuditHead head;
  const TimePoint now = clock_.now();
  store_.write([&](storage::Tx& tx) {
    storage::AuditRecord record;
    record.at = now;
    record.actor = storage::kAuditSelf;
    record.action = action;
    record.reason = reason;
    storage::AuditLog(tx).append(std::move(record));
    head = storage::AuditLog(tx).head();
  });
  log_info("audit", "checkpoint " + key_.sign(head, now));
}

void AuditHeart::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    woken_.wait_for(lock, stop, interval_, [] { return false; });
    if (stop.stop_requested()) return;
    try {
      beat("server.alive", "");
    } catch (const std::exception& error) {
      log_error("audit", std::string("cannot write that the server lives: ") + error.what());
    }
  }
}

}  // namespace runner::daemon
