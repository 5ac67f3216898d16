// Every golden/plan_*.yml is planned; its diagnostics and its jobs must read as in the .txt beside it.

#include <gtest/gtest.h>

#include <filesystem>

#include "runner/base/files.h"
#include "tests/pipelines/plan_cases.h"
#include "tests/support/golden.h"

namespace runner::pipelines {
namespace {

TEST(PlanGolden, EveryFileReadsAsExpected) {
  const auto files = golden_plan_files();
  ASSERT_GT(files.size(), 10U);
  for (const auto& file : files) {
    PlanWorld world;
    const PlanResult result = world.plan(read_file(file).value());
    RenderOptions options;
    options.limit = 1000;
    const std::string actual =
        render(result.diagnostics.sorted(), *result.sources, options) + "== " + outline(result);
    const auto expected = std::filesystem::path("pipelines/golden") / file.stem().concat(".txt");
    EXPECT_EQ(test::compare_golden(expected, actual), "") << file;
  }
}

}  // namespace
}  // namespace runner::pipelines
