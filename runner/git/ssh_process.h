#pragma once
// The ssh client as a child process that talks to us. Internal to this folder; one thread.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/fd.h"
#include "runner/git/upload_pack.h"

namespace runner::git {

class SshProcess {
 public:
  /// Starts `argv` as it is, found by PATH, in a session of its own: without a terminal it cannot ask
  /// anybody. Throws Error that says what to install. `patience` outlives it.
  SshProcess(const std::vector<std::string>& argv, Patience& patience);
  /// Ends the process and all it started, and waits for it.
  ~SshProcess();
  SshProcess(const SshProcess&) = delete;
  SshProcess& operator=(const SshProcess&) = delete;

  /// All, or as much as it takes before it ends: why it ended is seen by reading then. Throws Error: timeout,
  /// cancelled.
  void write_all(std::string_view bytes);
  /// At least one byte, or 0 when it has ended. Throws the same.
  std::size_t read_some(char* buffer, std::size_t size);

  /// After the end: what it wrote to standard error, the end of it at least.
  const std::string& said() const noexcept { return said_; }
  /// After the end: its exit status; 128 + signal when it was killed.
  int wait_status();

 private:
  /// Until the socket is ready for `events`, meanwhile taking what is said.
  void wait_for(short events);
  void take_said();
  void end() noexcept;

  Patience& patience_;
  WakeUp stopped_;
  UniqueFd socket_, errors_;
  std::string said_;
  pid_t pid_ = -1;
  int status_ = 0;
};

}  // namespace runner::git
