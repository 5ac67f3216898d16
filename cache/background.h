#pragma once
// What threads and processes are that nobody waits for.

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace runner::cache {

/// Of the calling thread only, as Linux has all of this per thread; a new process has one. Not the lowest
/// there is: the kernel has locks too, and a busy machine lets an idle thread (SCHED_IDLE, or idle for the
/// disk) stand still for seconds with them. There is no way back without privileges. Async-signal-safe.
inline void take_low_priority() noexcept {
  constexpr int kNice = 10;
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  ::setpriority(PRIO_PROCESS, self, kNice);
  const sched_param none{};
  ::sched_setscheduler(static_cast<pid_t>(self), SCHED_BATCH, &none);
  constexpr int kThisThread = 1, kBestEffort = 2, kClassShift = 13, kLast = 7;  // linux/ioprio.h
  ::syscall(SYS_ioprio_set, kThisThread, static_cast<int>(self), kBestEffort << kClassShift | kLast);
}

/// For the calling thread and what it starts: signals sent to the process are for the thread that waits for
/// them.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace runner::cache
