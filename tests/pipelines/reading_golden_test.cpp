// Each bad file beside the golden texts, and what a user is told about it.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "runner/base/files.h"
#include "tests/pipelines/reading_support.h"
#include "tests/support/golden.h"
#include "tests/support/source_dir.h"

namespace runner::pipelines {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> bad_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test::source_dir() / "tests/pipelines/golden/reading")) {
    if (entry.path().extension() == ".yml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ReadingGolden : public testing::TestWithParam<std::string> {};

TEST_P(ReadingGolden, SaysWhatIsWrongAndWhere) {
  const fs::path base = fs::path("pipelines/golden/reading") / GetParam();
  const auto text = read_file(test::source_dir() / "tests" / (base.string() + ".yml"));
  ASSERT_TRUE(text);
  LoadTest test(Files{{"ci.yml", *text}, {"ci/build.yml", "b: {}\n"}});
  test.root_file = "ci.yml";
  test.load();
  ASSERT_FALSE(test.diagnostics.all().empty());
  EXPECT_EQ(test::compare_golden(base.string() + ".txt", test.rendered()), "");
}

INSTANTIATE_TEST_SUITE_P(Files, ReadingGolden, testing::ValuesIn(bad_files()),
                         [](const auto& file) { return file.param; });

TEST(ReadingGolden, AFileOfThreeMebibytesIsTooLarge) {
  LoadTest test(Files{{".gitlab-ci.yml", "a: " + std::string(3U << 20U, 'x') + "\n"}});
  test.load();
  EXPECT_EQ(
      test.rendered(),
      ".gitlab-ci.yml:1:1: error: file too large: 3.0 MiB, at most 2.0 MiB are allowed [file-too-large]\n"
      "    1 | a: " +
          std::string(117, 'x') +
          "...\n"
          "      | ^\n");
}

}  // namespace
}  // namespace runner::pipelines
