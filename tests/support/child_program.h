#pragma once
// Programs that a test starts and talks to by lines.

#include <sys/types.h>

#include <string>
#include <vector>

#include "runner/base/fd.h"

namespace runner::test {

/// A program whose standard input and output are ours. It sees the end of its input when the object, or the
/// test, is gone.
class ChildProgram {
 public:
  /// `argv[0]` is looked up in PATH. Throws Error.
  explicit ChildProgram(const std::vector<std::string>& argv);
  /// Waits for its end.
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  /// SIGKILL.
  void kill() const;
  void write_line(const std::string& line) const;
  /// Without its end. Throws Error{unavailable} when the program has ended.
  std::string read_line() const;

 private:
  UniqueFd input_, output_;
  pid_t pid_ = -1;
};

/// Runs a program to its end. Throws Error when it does not end with 0.
void run_program(const std::vector<std::string>& argv);
/// Whether PATH, or where administrators' programs lie, has it.
bool has_program(const std::string& name);

}  // namespace runner::test
