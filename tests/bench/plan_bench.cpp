// Planning: a generated pipeline with includes, extends, rules, needs and anchors. The alternative to compare
// with is one `bash -c true`, the least that a runner could start, in the same run. Freezing and thawing the
// plan stand beside planning it anew.

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "pipelines/frozen_plan.h"
#include "pipelines/plan.h"
#include "tests/support/memory_repository.h"

namespace {

using runner::pipelines::make_plan;
using runner::pipelines::Plan;
using runner::pipelines::PlanOutcome;

constexpr int kStages = 10;

const char* const kTemplates = R"(
.base:
  variables: { LEVEL: "1", REGION: eu }
  before_script: [./prepare "$LEVEL"]
  retry: { max: 1, when: [runner_system_failure] }
.built:
  extends: .base
  cache: { key: "deps-$CI_COMMIT_REF_SLUG", paths: [deps/] }
  artifacts: { paths: [out/], expire_in: 1 week }
.on_main: &on_main
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
      when: never
    - if: $CI_COMMIT_BRANCH =~ /^release-\d+$/ && $REGION != "us"
      when: manual
    - if: ($CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH || $CI_COMMIT_TAG) && $LEVEL
    - changes: ["src/**/*.c"]
)";

/// `jobs` jobs in ten stages over three files; every second one needs one of the stage before.
std::map<std::string, std::string, std::less<>> generate(int jobs) {
  std::map<std::string, std::string, std::less<>> files;
  files["ci/templates.yml"] = kTemplates;
  std::string root = "include: [ci/templates.yml, ci/even.yml]\nstages: [";
  for (int stage = 0; stage < kStages; ++stage) root += fmt::format("{}s{}", stage == 0 ? "" : ", ", stage);
  root += "]\nvariables: { PROJECT: bench, IMAGE_TAG: \"$CI_COMMIT_SHORT_SHA\" }\ndefault:\n  timeout: 30m\n";
  std::string even;
  for (int job = 0; job < jobs; ++job) {
    std::string& out = job % 2 == 0 ? even : root;
    out += fmt::format(
        "job {0}:\n  stage: s{1}\n  extends: .built\n  rules: !reference [.on_main, rules]\n"
        "  variables: {{ NUMBER: \"{0}\", NAME: \"$PROJECT-$NUMBER\" }}\n"
        "  script:\n    - echo \"job $NAME\"\n    - make target-{0}\n",
        job, job % kStages);
    if (job % 2 == 1) out += fmt::format("  needs: [\"job {}\"]\n", job - 1);
  }
  files["ci/even.yml"] = std::move(even);
  files[".gitlab-ci.yml"] = std::move(root);
  return files;
}

void plan_jobs(benchmark::State& state) {
  const int jobs = static_cast<int>(state.range(0));
  const auto files = generate(jobs);
  const auto facts = runner::test::push_to_main();
  runner::test::MemoryRepository repository(files);
  const std::string& root = files.at(".gitlab-ci.yml");
  for (auto _ : state) {
    const auto result = make_plan(".gitlab-ci.yml", root, facts, repository, repository);
    if (result.outcome != PlanOutcome::planned ||
        result.plan->jobs.size() != static_cast<std::size_t>(jobs)) {
      state.SkipWithError(render(result.diagnostics.sorted(), *result.sources).c_str());
      break;
    }
    benchmark::DoNotOptimize(result);
  }
  state.counters["jobs/s"] =
      benchmark::Counter(static_cast<double>(jobs), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(plan_jobs)->Arg(1)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond)->MinTime(1.0);

Plan planned(int jobs) {
  const auto files = generate(jobs);
  runner::test::MemoryRepository repository(files);
  return make_plan(".gitlab-ci.yml", files.at(".gitlab-ci.yml"), runner::test::push_to_main(), repository,
                   repository)
      .plan.value();
}

void count_jobs(benchmark::State& state, std::size_t bytes) {
  state.counters["jobs/s"] =
      benchmark::Counter(static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bytes/job"] = static_cast<double>(bytes) / static_cast<double>(state.range(0));
}

void freeze_plan(benchmark::State& state) {
  const Plan plan = planned(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) bytes = runner::pipelines::freeze(plan).size();
  count_jobs(state, bytes);
}
BENCHMARK(freeze_plan)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond)->MinTime(1.0);

void thaw_plan(benchmark::State& state) {
  const std::string text = runner::pipelines::freeze(planned(static_cast<int>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(runner::pipelines::thaw(text));
  count_jobs(state, text.size());
}
BENCHMARK(thaw_plan)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond)->MinTime(1.0);

void bash_true(benchmark::State& state) {
  for (auto _ : state) {
    char program[] = "bash", flag[] = "-c", script[] = "true";
    char* arguments[] = {program, flag, script, nullptr};
    pid_t child = 0;
    int status = 1;
    if (posix_spawnp(&child, "bash", nullptr, nullptr, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      state.SkipWithError("cannot run bash");
      break;
    }
  }
}
BENCHMARK(bash_true)->Unit(benchmark::kMillisecond)->MinTime(0.5)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
