#pragma once
// The data keys of a running server: they are changed while jobs run. A new one seals at once; what lies in
// the database gets it one after the other, and this goes on after a restart until nothing needs an older
// one.

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "runner/api/key_actions.h"
#include "runner/base/clock.h"
#include "runner/storage/data_key_files.h"
#include "runner/storage/sealed_values.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// Any thread. Owns one, which blocks on the store.
class KeyKeeper final : public api::KeyActions {
 public:
  /// References outlive it; the sealer has the keys of `files`.
  KeyKeeper(storage::Store& store, storage::Sealer& sealer, storage::DataKeyFiles files, const Clock& clock);
  /// As stop().
  ~KeyKeeper() override;
  KeyKeeper(const KeyKeeper&) = delete;
  KeyKeeper& operator=(const KeyKeeper&) = delete;

  /// Goes on with what an earlier server did not finish. Once. Throws Error.
  void start();
  /// What is not finished waits for the next start. Idempotent.
  void stop() noexcept;

  api::DataKeyReport data_keys() override;
  std::string change_data_key() override;
  void remove_data_key(const std::string& id) override;

 private:
  void run(const std::stop_token& stop);
  bool renew_all(const std::stop_token& stop);
  bool finish(const storage::RenewTally& tally);

  storage::Store& store_;
  storage::Sealer& sealer_;
  const storage::DataKeyFiles files_;
  const Clock& clock_;
  std::mutex files_mutex_;  // one change at a time

  std::mutex mutex_;  // of what follows
  std::condition_variable_any woken_;
  bool wanted_ = false;
  std::size_t renewed_ = 0;
  std::vector<std::string> failures_;

  std::jthread thread_;  // last: it uses the others
};

}  // namespace runner::daemon
