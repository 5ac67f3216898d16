#pragma once
// Runs the built program in repositories of its own, as a user would.

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner::cli {

struct Ended {
  int code = -1;  // 128 + signal when it was killed
  std::string out, err;
};

/// A program that runs, in a session of its own.
class Running {
 public:
  Running(pid_t pid, UniqueFd out, std::filesystem::path err);
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  /// Kills it when nobody waited for it.
  ~Running();

  /// Reads its output until `text` was in it. False: it ended before.
  bool wait_for(std::string_view text);
  /// As a terminal does: to the whole foreground process group.
  void signal_group(int signo) const;
  /// SIGKILL to the program only.
  void kill_alone() const;
  Ended wait();

 private:
  pid_t pid_;
  UniqueFd out_;
  std::filesystem::path err_;
  std::string seen_;
};

/// A directory with a pipeline file, a home and a data directory; all gone at the end.
class Sandboxed {
 public:
  explicit Sandboxed(std::string_view pipeline, bool with_git = true);

  const std::filesystem::path& project() const { return project_; }
  const std::filesystem::path& data() const { return data_; }
  void write(const std::string& name, std::string_view content) const;
  /// Runs a shell command in the project.
  void shell(const std::string& command) const;
  std::unique_ptr<Running> start(std::vector<std::string> words) const;
  /// Any program, with the built one in its PATH.
  std::unique_ptr<Running> start_program(std::vector<std::string> words) const;
  Ended run(std::vector<std::string> words) const;
  /// A command of bash in the project, with the built program as `runner`.
  Ended run_bash(const std::string& command) const;
  std::string read(const std::string& name) const;

  /// More environment, "NAME=value".
  std::vector<std::string> environment;

 private:
  TempDir root_;
  std::filesystem::path project_, home_, data_;
};

/// Where the built program lies.
std::filesystem::path program_directory();

/// Processes whose command line holds `text`.
std::vector<pid_t> processes_with(std::string_view text);
/// Waits until there is none any more; false when there still is one after a minute.
bool processes_end(std::string_view text);

}  // namespace runner::cli
