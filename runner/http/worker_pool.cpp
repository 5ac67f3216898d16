#include "runner/http/worker_pool.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "runner/base/log.h"

namespace runner::http {

WorkerPool::WorkerPool(std::size_t threads) {
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i)
      threads_.emplace_back([this] { run(); });
  } catch (...) {  // no more threads to be had: those that run must end before they are dropped
    end();
    throw;
  }
}

WorkerPool::~WorkerPool() {
  end();
}

void WorkerPool::end() noexcept {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(calls_);
  }
  arrived_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    calls_.push_back(std::move(call));
  }
  arrived_.notify_one();
}

bool WorkerPool::finish(SteadyPoint deadline) {
  std::unique_lock lock(mutex_);
  idle_.wait_until(lock, deadline, [this] { return running_ == 0 && (calls_.empty() || stopping_); });
  stopping_ = true;
  arrived_.notify_all();
  return running_ == 0;
}

bool WorkerPool::contains_this_thread() const noexcept {
  return std::any_of(threads_.begin(), threads_.end(),
                     [](const std::thread& thread) { return thread.get_id() == std::this_thread::get_id(); });
}

void WorkerPool::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    arrived_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
    if (stopping_) return;
    std::function<void()> call = std::move(calls_.front());
    calls_.pop_front();
    ++running_;
    lock.unlock();
    try {
      call();
    } catch (const std::exception& error) {
      log_error("http", std::string("a call in the pool failed: ") + error.what());
    } catch (...) {
      log_error("http", "a call in the pool failed with an unknown exception");
    }
    call = nullptr;  // what it owns goes before the lock is taken again
    lock.lock();
    --running_;
    if (running_ == 0 && (calls_.empty() || stopping_)) idle_.notify_all();
  }
}

}  // namespace runner::http
