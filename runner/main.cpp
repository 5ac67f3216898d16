// The program: everything is in runner/cli.

#include <csignal>

#include "runner/cli/commands.h"

int main(int argc, char** argv) {
  // A reader that goes away ("runner exec | head") is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  return runner::cli::run(argc, argv);
}
