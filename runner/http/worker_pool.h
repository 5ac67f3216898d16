#pragma once
// Threads for what may block. Any thread.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runner/base/clock.h"

namespace runner::http {

/// Runs calls in the order they came, as many at once as it has threads. Who submits bounds the queue: a
/// connection has one call in it at most.
class WorkerPool {
 public:
  /// Throws std::system_error when the system has no more threads.
  explicit WorkerPool(std::size_t threads);
  /// Drops what waits; blocks until what runs has ended.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// What `call` throws is logged.
  void submit(std::function<void()> call);
  /// Blocks until nothing runs or waits, at most up to `deadline`; then nothing that waits is begun any more.
  /// True when nothing runs.
  bool finish(SteadyPoint deadline);
  /// Is the calling thread one of these?
  bool contains_this_thread() const noexcept;

 private:
  void run() noexcept;
  void end() noexcept;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable idle_;
  std::deque<std::function<void()>> calls_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace runner::http
