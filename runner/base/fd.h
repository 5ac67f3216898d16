#pragma once
// Descriptors with an owner. Any thread; one object is not shared between threads without a lock.

#include <utility>

namespace runner {

/// Owns one file descriptor and closes it. Move-only. -1 means empty.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives the descriptor away; the caller closes it.
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// A pipe with O_CLOEXEC on both ends. Throws Error.
Pipe make_pipe();

/// An eventfd used as a wake-up: signal() from any thread (async-signal-safe), poll its fd() for reading.
class WakeUp {
 public:
  WakeUp();
  int fd() const noexcept { return fd_.get(); }
  void signal() const noexcept;
  /// Forgets all signals so far.
  void clear() const noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace runner
