// Prints what a job costs: `measure_jobs [jobs] [capacity]`, half of the jobs need the other half.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "executors/shell_executor.h"
#include "tests/engine/engine_harness.h"

int main(int argc, char** argv) {
  using namespace runner;
  const auto launcher = executors::Launcher::start();
  const std::size_t jobs = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200;
  engine::EngineOptions options;
  options.capacity = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 4;
  executors::ShellExecutor executor(launcher);
  const TempDir probe;
  const cache::MountMode mode = cache::probe_mount_mode(probe.path()).mode;
  const auto begin = std::chrono::steady_clock::now();
  test::EngineHarness harness(executor, mode, options);
  const auto made = std::chrono::steady_clock::now();
  test::PlanBuilder plan({"build", "test"});
  for (std::size_t i = 0; i < (jobs + 1) / 2; ++i) plan.add("first " + std::to_string(i), 0, {"echo hello"});
  for (std::size_t i = 0; i < jobs / 2; ++i) {
    plan.add_dag("second " + std::to_string(i), 1, {"first " + std::to_string(i)}, {"echo hello"});
  }
  const auto end = harness.run(plan.plan());
  const auto done = std::chrono::steady_clock::now();
  const auto ms = [](auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); };
  std::printf("%zu jobs, capacity %zu, %s: %s; engine made in %.2f ms, pipeline in %.1f ms\n", jobs,
              options.capacity, std::string(cache::to_string(mode)).c_str(),
              std::string(to_string(end.status)).c_str(), ms(made - begin), ms(done - made));
  return end.status == pipelines::JobStatus::success ? 0 : 1;
}
