#include <gmock/gmock.h>

#include "tests/engine/engine_harness.h"
#include "tests/engine/shell_launcher.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class ShellEngine : public testing::TestWithParam<cache::MountMode> {
 protected:
  void SetUp() override {
    const TempDir dir;
    if (GetParam() == cache::MountMode::overlay_root &&
        cache::probe_mount_mode(dir.path()).mode != cache::MountMode::overlay_root) {
      GTEST_SKIP() << "no overlay mounts here";
    }
  }
  void TearDown() override { EXPECT_THAT(harness_.leftovers(), IsEmpty()); }

  executors::ShellExecutor executor_{test_launcher()};
  EngineHarness harness_{executor_, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Modes, ShellEngine,
                         testing::Values(cache::MountMode::copy, cache::MountMode::overlay_root),
                         [](const auto& mode) { return std::string(cache::to_string(mode.param)); });

TEST_P(ShellEngine, OneJobRuns) {
  PlanBuilder plan;
  plan.add("hello", 0, {"echo \"hello $CI_JOB_STATUS\"", "pwd"});
  const auto end = harness_.run(plan.plan());
  EXPECT_EQ(end.status, JobStatus::success) << harness_.log("hello");
  EXPECT_EQ(harness_.job("hello").exit_code, 0);
  EXPECT_THAT(harness_.log_lines("hello"), Contains("hello running"));
  EXPECT_THAT(harness_.log_lines("hello"), Contains("Job succeeded"));
}

}  // namespace
}  // namespace runner::test
