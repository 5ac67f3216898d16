// What a step costs: measure_steps [plain|overlay|user] [steps] [at a time] [big megabytes]
// Prints wall time and CPU time (ours, and of everything below the launcher) per step, beside bare `bash -c`.

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "executors/launcher.h"
#include "executors/shell_executor.h"
#include "runner/base/files.h"

extern char** environ;

namespace {

using namespace runner;
using namespace runner::executors;
using Clock = std::chrono::steady_clock;

class CountingSink final : public LogSink {
 public:
  void write(Stream, std::span<const std::byte> bytes) noexcept override { size += bytes.size(); }
  std::uint64_t size = 0;
};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double cpu_ms(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

void at_a_time(int steps, int parallel, const std::function<void(int)>& run) {
  std::atomic<int> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < parallel; ++t)
    threads.emplace_back([&] {
      for (int i = next++; i < steps; i = next++) run(i);
    });
  for (auto& thread : threads) thread.join();
}

void bare_bash(int) {
  const char* const argv[] = {"bash", "-c", "echo hello >/dev/null", nullptr};
  pid_t pid = -1;
  if (::posix_spawnp(&pid, "bash", nullptr, nullptr, const_cast<char* const*>(argv), environ) != 0)
    std::abort();
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "plain";
  const int steps = argc > 2 ? std::atoi(argv[2]) : 200;
  const int parallel = argc > 3 ? std::atoi(argv[3]) : 2;
  const int megabytes = argc > 4 ? std::atoi(argv[4]) : 0;
  double helper_cpu = 0;
  double wall = 0;
  double own = 0;
  {
    const Launcher launcher = Launcher::start();
    ShellExecutor executor(launcher);
    const TempDir dir;
    std::vector<SandboxSpec> specs;
    for (int i = 0; i < steps; ++i) {
      const auto base = dir.path() / std::to_string(i);
      for (const char* name : {"state", "workspace", "lower", "upper", "work"}) make_directories(base / name);
      SandboxSpec spec;
      spec.id.value = "job";
      spec.state_dir = base / "state";
      spec.workspace = base / "workspace";
      if (mode != "plain")
        spec.overlay =
            OverlayMount{{base / "lower"}, base / "upper", base / "work", spec.workspace, mode == "user"};
      specs.push_back(spec);
    }
    const std::string script = megabytes > 0 ? "head -c " + std::to_string(megabytes) + "000000 /dev/zero"
                                             : std::string("echo hello");
    const double own_before = cpu_ms(RUSAGE_SELF);
    const auto start = Clock::now();
    at_a_time(steps, parallel, [&](int i) {
      const auto& spec = specs[static_cast<std::size_t>(i)];
      CountingSink sink;
      auto sandbox = executor.prepare(spec, sink, {});
      StepSpec step;
      step.id.value = "script";
      step.argv = {"bash", "-c", script};
      step.env = {{"PATH", "/usr/bin:/bin"}};
      const StepEnd end = sandbox->start(step, sink)->wait();
      if (!std::holds_alternative<Exited>(end) || sink.size == 0) std::abort();
      executor.destroy(spec.id, spec.state_dir, Clock::now() + std::chrono::seconds(5));
    });
    wall = milliseconds_since(start);
    own = cpu_ms(RUSAGE_SELF) - own_before;
  }
  helper_cpu = cpu_ms(RUSAGE_CHILDREN);  // the launcher has been waited for, and it had waited for the rest
  const double n = steps;
  std::printf("%-8s wall %.3f ms, cpu here %.3f ms, cpu below %.3f ms per step\n", mode.c_str(), wall / n,
              own / n, helper_cpu / n);
  if (megabytes > 0) {
    std::printf("%.0f MB/s\n", megabytes * n / (wall / 1e3));
    return 0;
  }
  const auto start = Clock::now();
  at_a_time(steps, parallel, bare_bash);
  std::printf("%-8s wall %.3f ms, cpu %.3f ms per step\n", "bash -c", milliseconds_since(start) / n,
              (cpu_ms(RUSAGE_CHILDREN) - helper_cpu) / n);
}
