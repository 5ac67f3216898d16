// YAML reader and planner. An input is one file, or several: a line "=== PATH" starts the next one.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "pipelines/plan.h"
#include "tests/fuzz/check.h"
#include "tests/support/memory_repository.h"

namespace {

using namespace runner;

std::map<std::string, std::string, std::less<>> split_files(std::string_view input) {
  constexpr std::string_view kMark = "\n=== ";
  std::map<std::string, std::string, std::less<>> files;
  std::string name = ".gitlab-ci.yml";
  for (;;) {
    const auto end = input.find(kMark);
    files[name] = input.substr(0, end);
    if (end == std::string_view::npos) return files;
    input.remove_prefix(end + kMark.size());
    const auto line_end = input.find('\n');
    name = input.substr(0, line_end);
    input.remove_prefix(line_end == std::string_view::npos ? input.size() : line_end + 1);
  }
}

void check_plan(const pipelines::Plan& plan) {
  for (const auto& job : plan.jobs) {
    test::promise(job.stage_index < plan.stages.size(), "a job's stage is in the plan");
    for (const auto& need : job.needs)
      test::promise(need.job < plan.jobs.size(), "a need is a job of the plan");
    for (const auto source : job.artifact_sources) {
      test::promise(source < plan.jobs.size(), "an artifact source is a job of the plan");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > std::size_t{64} * 1024) return 0;
  const auto files = split_files({reinterpret_cast<const char*>(data), size});
  test::MemoryRepository repository(files);
  const auto result = pipelines::make_plan(".gitlab-ci.yml", files.at(".gitlab-ci.yml"), test::push_to_main(),
                                           repository, repository);
  const bool invalid = result.outcome == pipelines::PlanOutcome::invalid;
  test::promise(invalid == result.diagnostics.has_errors(), "invalid means errors, and errors mean invalid");
  test::promise((result.outcome == pipelines::PlanOutcome::planned) == result.plan.has_value(),
                "planned means a plan");
  test::promise(result.sources != nullptr, "messages have their texts");
  if (result.plan) check_plan(*result.plan);
  const auto text = pipelines::render(result.diagnostics.sorted(), *result.sources);
  test::promise(invalid ? !text.empty() : true, "an invalid file says why");
  return 0;
}
