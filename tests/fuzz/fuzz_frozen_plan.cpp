// Thawing of plans and facts: whatever the text, an Error{corrupt} or a value that is safe to run and
// survives being frozen again.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pipelines/frozen_plan.h"
#include "pipelines/plan_fields.h"
#include "runner/base/error.h"
#include "tests/fuzz/check.h"

namespace {

using namespace runner;

void check_indexes(const pipelines::Plan& plan) {
  for (const auto& job : plan.jobs) {
    test::promise(job.stage_index < plan.stages.size(), "a job's stage is in the plan");
    for (const auto& need : job.needs)
      test::promise(need.job < plan.jobs.size(), "a need is a job of the plan");
    for (const auto source : job.artifact_sources)
      test::promise(source < plan.jobs.size(), "an artifact source is a job of the plan");
  }
}
void check_indexes(const pipelines::PipelineFacts&) {}

template <typename Thaw>
void try_thaw(std::string_view text, const Thaw& thaw) {
  try {
    const auto value = thaw(text);
    check_indexes(value);
    const auto frozen = pipelines::freeze(value);
    const auto again = thaw(frozen);
    test::promise(pipelines::same(value, again), "what was thawed survives being frozen");
    test::promise(pipelines::freeze(again) == frozen, "equal values are equal texts");
  } catch (const Error& error) {
    test::promise(error.code() == ErrorCode::corrupt, "a text that is refused is corrupt");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Small, as all jobs may need all jobs: the memory is that of the plan, by the square of the text.
  if (size > std::size_t{4} * 1024) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_thaw(text, [](std::string_view one) { return pipelines::thaw(one); });
  try_thaw(text, [](std::string_view one) { return pipelines::thaw_facts(one); });
  return 0;
}
