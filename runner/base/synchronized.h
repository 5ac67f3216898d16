#pragma once
// Data that lives inside its lock, so that unlocked access does not compile.

#include <mutex>
#include <utility>

namespace runner {

/// Thread-safe owner of a T. Never call out while holding the lock.
template <typename T>
class Synchronized {
 public:
  template <typename... Args>
  explicit Synchronized(Args&&... args) : value_(std::forward<Args>(args)...) {}

  /// A locked view; the lock is held as long as it lives.
  class Locked {
   public:
    T* operator->() noexcept { return value_; }
    T& operator*() noexcept { return *value_; }
    /// For condition variables.
    std::unique_lock<std::mutex>& lock() noexcept { return lock_; }

   private:
    friend class Synchronized;
    Locked(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };

  Locked lock() { return Locked(mutex_, value_); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace runner
