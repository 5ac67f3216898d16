#pragma once
// Runs the program small_daemon in a directory of its own, and tells what came of it.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runner/base/files.h"

namespace runner::test {

class SmallDaemon {
 public:
  explicit SmallDaemon(std::string_view pipeline);
  SmallDaemon(const SmallDaemon&) = delete;
  SmallDaemon& operator=(const SmallDaemon&) = delete;
  /// Kills what is left.
  ~SmallDaemon();

  /// Starts it. `failpoint`: "NAME:N", where it kills itself; "" = nowhere.
  pid_t start(const std::string& failpoint = {}) const;
  /// Waits for it: the exit code, or 128 + signal.
  int wait(pid_t pid) const;
  int run(const std::string& failpoint = {}) const { return wait(start(failpoint)); }

  /// What it printed when it came to its end.
  std::string summary() const;
  /// How often each job's script ran.
  std::map<std::string, int> runs() const;
  /// Logs by job and attempt, with times taken out.
  std::vector<std::string> logs() const;
  /// Processes, and directories of jobs, that are still there. Waits a little for those that are ending.
  std::vector<std::string> leftovers() const;
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  std::vector<pid_t> processes() const;
  TempDir directory_{"small-daemon-"};
};

}  // namespace runner::test
