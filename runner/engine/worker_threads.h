#pragma once
// Threads for blocking work, made when needed and used again.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace runner::engine {

/// How much of something is under way. Any thread.
class OpenCount {
 public:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }
  void end() {
    // Told under the lock: who waits may destroy this as soon as it is given up.
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) none_.notify_all();
  }
  void wait_for_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return open_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t open_ = 0;
};

/// Runs tasks on at most `limit` threads, first come first served. Tasks do not throw. Any thread.
class WorkerThreads {
 public:
  explicit WorkerThreads(std::size_t limit) : limit_(limit) {}
  /// Waits for all tasks.
  ~WorkerThreads() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  /// Raises the limit.
  void at_least(std::size_t limit) {
    const std::lock_guard lock(mutex_);
    limit_ = std::max(limit_, limit);
  }

  void run(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push(std::move(task));
      if (idle_ < tasks_.size() && threads_.size() < limit_) threads_.emplace_back([this] { serve(); });
    }
    work_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      work_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
      --idle_;
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::size_t limit_;
  std::condition_variable work_;
  std::queue<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool closing_ = false;
};

}  // namespace runner::engine
