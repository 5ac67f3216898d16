#pragma once
// What a server does not keep for ever: archives past their time (artifacts:expire_in), logs of old pipelines
// and of projects that are gone, what is known of old webhooks, old events. Blocks on the disk and the store.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct RetentionOptions {
  std::chrono::hours logs{365 * 24};       // of pipelines after their end, and events; 0 = for ever
  std::chrono::hours deliveries{30 * 24};  // longer than any forge sends one again
  std::chrono::hours orphans{7 * 24};      // files of archives that no row names, by their age
  std::chrono::minutes every{60};          // between two passes
};

struct RetentionTally {
  std::size_t archives = 0, logs = 0, events = 0, deliveries = 0, orphans = 0;
  std::uint64_t bytes = 0;                  // of files of archives
  std::optional<std::uint64_t> kept_bytes;  // of those that stay; nullopt: not all were looked at
};

/// One pass; ends early on `stop`. Archives and logs go row first, so what is listed is there; a file whose
/// row is gone and that is left by a crash is an orphan of a later pass. Throws Error; what was done is done.
RetentionTally remove_old(storage::Store& store, const Clock& clock, const std::filesystem::path& data,
                          const RetentionOptions& options, const std::stop_token& stop);

/// A thread that makes passes from now on, until it is destroyed. What fails is logged, and tried again with
/// the next. References must outlive it.
class RetentionThread {
 public:
  /// `passed` is told of each pass; may be empty.
  RetentionThread(storage::Store& store, const Clock& clock, std::filesystem::path data,
                  RetentionOptions options, std::function<void(const RetentionTally&)> passed = {});

 private:
  void run(const std::stop_token& stop) const;

  storage::Store& store_;
  const Clock& clock_;
  const std::filesystem::path data_;
  const RetentionOptions options_;
  const std::function<void(const RetentionTally&)> passed_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace runner::daemon
