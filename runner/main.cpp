// The program: everything is in runner/cli.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "runner/cli/commands.h"

namespace {

// Whoever starts us with one of them closed ("runner exec >&-") must not make it the next file we open.
bool have_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (!have_standard_streams()) return runner::cli::exit_machinery;
  // A reader that goes away ("runner exec | head") is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  return runner::cli::run(argc, argv);
}
