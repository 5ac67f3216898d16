#pragma once
// Messages to one thread.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace runner::engine {

/// Many senders, one receiver. Order of each sender is kept.
template <typename Message>
class Mailbox {
 public:
  void post(Message message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    arrived_.notify_one();
  }

  /// Blocks until there are messages or, at the latest, `deadline`. Returns all that are there.
  std::vector<Message> take(std::optional<std::chrono::steady_clock::time_point> deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !messages_.empty(); };
    if (deadline) {
      arrived_.wait_until(lock, *deadline, ready);
    } else {
      arrived_.wait(lock, ready);
    }
    return std::exchange(messages_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Message> messages_;
};

}  // namespace runner::engine
