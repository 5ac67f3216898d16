// The program: everything is in runner/cli.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "builds/build_request.h"
#include "deployments/job/deploy_request.h"
#include "executors/containers/container_client.h"
#include "executors/terminal_step.h"
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
  // A process of ours that follows a container, not for people.
  if (argc == 3 && argv[1] == std::string_view(runner::executors::kContainerStepWord))
    return runner::executors::container_step_main(argv[2]);
  // The step of a job that builds an image.
  if (argc == 3 && argv[1] == std::string_view(runner::builds::kImageBuildWord))
    return runner::builds::image_build_main(argv[2]);
  // The step of a job that deploys.
  if (argc == 3 && argv[1] == std::string_view(runner::deployments::kDeployStepWord))
    return runner::deployments::deploy_step_main(argv[2]);
  // The shell of a person in a failed job's sandbox.
  if (argc > 3 && argv[1] == std::string_view(runner::executors::kOnTerminalWord))
    return runner::executors::on_terminal_main(argv + 2);
  return runner::cli::run(argc, argv);
}
