// Every golden/plan_*.yml is planned; its diagnostics and its jobs must read as in the .txt beside it.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "runner/base/files.h"
#include "tests/pipelines/planning_support.h"
#include "tests/support/golden.h"
#include "tests/support/source_dir.h"

namespace runner::pipelines {
namespace {

std::vector<std::filesystem::path> cases() {
  std::vector<std::filesystem::path> files;
  const auto folder = test::source_dir() / "tests/pipelines/golden";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".yml" && entry.path().filename().string().starts_with("plan_"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST(PlanGolden, EveryFileReadsAsExpected) {
  const auto files = cases();
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
