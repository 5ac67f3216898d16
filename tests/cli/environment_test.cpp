#include "runner/cli/environment.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

TEST(Environment, OtherPipelinesAndRepositoriesStayOut) {
  const std::vector<const char*> entries{"PATH=/bin",
                                         "CI=true",
                                         "CI_JOB_ID=1",
                                         "CIVIL=yes",
                                         "GITLAB_CI=1",
                                         "RUNNER_DATA=x",
                                         "GIT_DIR=/x",
                                         "BASH_ENV=/x",
                                         "ENV=/x",
                                         "ENVIRONMENT=e",
                                         "BASH_FUNC_f%%=() { :; }",
                                         "EMPTY=",
                                         "VALUE=a=b",
                                         "noequals",
                                         "PATH=/second",
                                         "=odd",
                                         nullptr};
  const std::map<std::string, std::string> expected{
      {"PATH", "/bin"}, {"CIVIL", "yes"}, {"ENVIRONMENT", "e"}, {"EMPTY", ""}, {"VALUE", "a=b"}};
  EXPECT_EQ(base_environment(entries.data()), expected);
  EXPECT_TRUE(base_environment(nullptr).empty());
}

TEST(Environment, TheDataOptionIsMadeAbsolute) {
  EXPECT_EQ(data_directory("/x/y"), "/x/y");
  EXPECT_EQ(data_directory("y"), std::filesystem::current_path() / "y");
}

}  // namespace
}  // namespace runner::cli
