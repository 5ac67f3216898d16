#pragma once
// Tells forges what status_outbox.h wrote down. One thread, one question at a time: what is sent of a commit
// and a name is sent in the order in which it happened. Sending one twice is harmless, so one is removed from
// the outbox only when the forge has taken it, and what a killed server had in flight is sent again.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "runner/base/clock.h"
#include "runner/forge/forge.h"
#include "runner/forge/forge_http.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::forge {

struct SenderOptions {
  std::string server;  // where people reach this server: "https://ci.example.com"; "" = links to nowhere
  ForgeLimits limits;
  // After a failure, doubled each time up to the longest, with a fifth more or less.
  std::chrono::milliseconds first_wait{5'000}, longest_wait{900'000};
  // However long a forge asks to be left alone.
  std::chrono::milliseconds longest_pause{7'200'000};
  std::int64_t most_refusals = 4;   // then one that is refused is given up
  std::chrono::hours given_up{24};  // as is one that could not be delivered for so long
};

struct SenderStats {
  // By forge and "delivered", "failed" (tried again) or "dropped" (given up).
  std::map<std::pair<ForgeKind, std::string>, std::uint64_t> results;
};

class StatusSender {
 public:
  /// Starts the thread. References outlive it.
  StatusSender(storage::Store& store, const storage::Sealer& sealer, const Clock& clock,
               SenderOptions options);
  /// As stop().
  ~StatusSender();
  StatusSender(const StatusSender&) = delete;
  StatusSender& operator=(const StatusSender&) = delete;

  /// Something was written to the outbox, and committed. Any thread; quick.
  void wake();
  /// Breaks off what is in flight and waits for the thread. Idempotent; not at the same time from two
  /// threads.
  void stop();
  /// Any thread.
  SenderStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::forge
