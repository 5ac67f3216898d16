#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json list_of(const Sandboxed& box) {
  return json::parse(box.run({"artifact", "list", "--json"}).out);
}

void expect_log(const Sandboxed& box, std::string_view status) {
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["job"], "slow");
  EXPECT_EQ(list[0]["job_status"], status);
  EXPECT_EQ(list[0]["latest"], false);
  ASSERT_EQ(box.run({"artifact", "extract", "slow", "-C", "x"}).code, 0);
  EXPECT_EQ(read_file(box.project() / "x/f/log"), "so far\n");
}

TEST(ArtifactEnd, TimedOutJobLeavesWhatItHas) {
  const Sandboxed box(R"(
slow:
  script: [mkdir f, echo so far > f/log, sleep 100]
  timeout: 5 seconds
  artifacts: {paths: [f], when: always}
)");
  const Ended ended = box.run({"exec"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr("took longer than"));
  expect_log(box, "failed");
}

TEST(ArtifactEnd, CanceledJobLeavesWhatItHas) {
  const Sandboxed box(R"(
slow:
  script: [mkdir f, echo so far > f/log, echo ready, sleep 100]
  artifacts: {paths: [f], when: on_failure}
)");
  const auto running = box.start({"exec"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->signal_group(SIGINT);
  EXPECT_EQ(running->wait().code, 1);
  expect_log(box, "canceled");
}

TEST(ArtifactEnd, WhatIsForSuccessIsNotKeptOfAJobThatTimedOut) {
  const Sandboxed box(R"(
slow:
  script: [mkdir f, echo so far > f/log, sleep 100]
  timeout: 5 seconds
  artifacts: {paths: [f]}
)");
  EXPECT_EQ(box.run({"exec"}).code, 1);
  EXPECT_TRUE(list_of(box).empty());
}

TEST(ArtifactEnd, ArchiveThatIsBeingWrittenEndsWithTheSecondInterrupt) {
  const Sandboxed box(R"(
large:
  script: [truncate -s 64G f]
  artifacts: {paths: [f]}
)");
  const auto running = box.start({"exec"});
  ASSERT_TRUE(running->wait_for("passed in"));
  running->signal_group(SIGINT);
  ASSERT_TRUE(running->wait_for("once more kills"));
  running->signal_group(SIGINT);
  running->wait();
  EXPECT_TRUE(list_of(box).empty());
}

TEST(ArtifactEnd, OtherFormatIsKeptAndReadAsWell) {
  const Sandboxed box(R"(
slow:
  variables: {ARTIFACT_COMPRESSION_FORMAT: tarzstd}
  script: [mkdir f, echo so far > f/log, exit 1]
  artifacts: {paths: [f], when: always}
)");
  EXPECT_EQ(box.run({"exec"}).code, 1);
  EXPECT_EQ(list_of(box)[0]["format"], "tar.zst");
  EXPECT_EQ(list_of(box)[0]["name"], "artifacts.tar.zst");
  expect_log(box, "failed");
}

}  // namespace
}  // namespace runner::cli
