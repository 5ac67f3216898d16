// What tests of the container executor start: the process that follows a container, and a runner to be
// killed.
//
//   container_program container-step STEP_DIR
//   container_program run SOCKET OWNER BASE SCRIPT with|beyond    prepares the sandbox "job" and starts its
//   step
//                                                                "script"; says "started" and waits

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string_view>

#include "executors/containers/container_client.h"
#include "executors/containers/container_executor.h"
#include "runner/base/files.h"
#include "tests/executors/container_specs.h"

namespace {

using namespace runner::executors;

class NoSink final : public LogSink {
 public:
  void write(Stream, std::span<const std::byte>) noexcept override {}
};

int run(char** argv) {
  const Launcher launcher = Launcher::start();
  ContainerOptions options = test::container_options(argv[2], argv[3]);
  options.program = std::filesystem::read_symlink("/proc/self/exe").native();
  ContainerExecutor executor(
      launcher, options,
      argv[6] == std::string_view("with") ? StepLife::with_runner : StepLife::beyond_runner);
  NoSink sink;
  const auto sandbox = executor.prepare(test::container_sandbox(argv[4], "job"), sink, {});
  StepSpec step;
  step.id.value = "script";
  step.argv = {"sh", "-c", argv[5]};
  const auto started = sandbox->start(step, sink);
  std::puts("started");
  std::fflush(stdout);
  char byte = 0;
  return ::read(STDIN_FILENO, &byte, 1) < 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3 && argv[1] == std::string_view(kContainerStepWord)) return container_step_main(argv[2]);
    if (argc == 7 && argv[1] == std::string_view("run")) return run(argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "container_program: %s\n", error.what());
  }
  return 2;
}
