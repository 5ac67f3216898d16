// What is told of a pipeline and of a job, and by which words.
#include "runner/forge/commit_status.h"

#include <gtest/gtest.h>

#include <set>

namespace runner::forge {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;

storage::PipelineRecord pipeline() {
  storage::PipelineRecord record;
  record.id = 7;
  record.project_id = 3;
  record.sha = std::string(40, 'a');
  record.ref = "main";
  record.source = "push";
  return record;
}

CommitStatus status(JobStatus now, bool allow_failure = false, bool broken = false) {
  CommitStatus made;
  made.status = now;
  made.allow_failure = allow_failure;
  made.broken = broken;
  return made;
}

TEST(CommitStatus, EveryStatusHasAWordOfEachForge) {
  using enum JobStatus;
  struct Case {
    JobStatus now;
    const char *github, *gitlab, *allowed_github, *allowed_gitlab;
  };
  const Case cases[] = {
      {created, "pending", "pending", "pending", "pending"},
      {waiting_for_resource, "pending", "pending", "pending", "pending"},
      {preparing, "pending", "pending", "pending", "pending"},
      {pending, "pending", "pending", "pending", "pending"},
      {running, "pending", "running", "pending", "running"},
      {canceling, "pending", "running", "pending", "running"},
      {manual, "pending", "pending", "success", "success"},
      {scheduled, "pending", "pending", "pending", "pending"},
      {success, "success", "success", "success", "success"},
      {failed, "failure", "failed", "success", "success"},
      {canceled, "error", "canceled", "success", "success"},
      {skipped, "success", "success", "success", "success"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(state_of(ForgeKind::github, status(one.now)), one.github) << to_string(one.now);
    EXPECT_EQ(state_of(ForgeKind::gitea, status(one.now)), one.github) << to_string(one.now);
    EXPECT_EQ(state_of(ForgeKind::gitlab, status(one.now)), one.gitlab) << to_string(one.now);
    EXPECT_EQ(state_of(ForgeKind::github, status(one.now, true)), one.allowed_github) << to_string(one.now);
    EXPECT_EQ(state_of(ForgeKind::gitlab, status(one.now, true)), one.allowed_gitlab) << to_string(one.now);
  }
  EXPECT_EQ(state_of(ForgeKind::github, status(failed, false, true)), "error");
  EXPECT_EQ(state_of(ForgeKind::gitlab, status(failed, false, true)), "failed");
}

TEST(CommitStatus, TellsAPipeline) {
  storage::PipelineRecord record = pipeline();
  record.status = JobStatus::success;
  record.started_at = TimePoint(std::chrono::seconds(100));
  record.finished_at = TimePoint(std::chrono::seconds(112));
  auto told = status_of(record).value();
  EXPECT_EQ(told.name, "runner");
  EXPECT_EQ(told.ref, "main");
  EXPECT_EQ(told.description, "passed in 12.0 s");
  EXPECT_FALSE(told.job);
  record.status = JobStatus::failed;
  EXPECT_EQ(status_of(record)->description, "failed after 12.0 s");
  record.started_at.reset();
  EXPECT_EQ(status_of(record)->description, "failed before any job ran");
  record.source = "merge_request_event";
  told = status_of(record).value();
  EXPECT_EQ(told.name, "runner (merge request)");
  EXPECT_EQ(told.ref, "") << "the branch may be one of a fork";
  record.project_id.reset();
  EXPECT_FALSE(status_of(record)) << "of a local run";
}

TEST(CommitStatus, TellsAJob) {
  storage::JobRecord job;
  job.id = 41;
  job.name = "unit tests: [1/3]";
  job.status = JobStatus::failed;
  job.failure = FailureReason::script_failure;
  job.reason = "script exited with 2\nand more";
  auto told = status_of(pipeline(), job).value();
  EXPECT_EQ(told.name, "runner / unit tests: [1/3]");
  EXPECT_EQ(told.description, "failed: script exited with 2");
  EXPECT_EQ(told.job, 41);
  EXPECT_FALSE(told.broken);
  job.allow_failure = true;
  EXPECT_EQ(status_of(pipeline(), job)->description, "failed, which is allowed: script exited with 2");
  job.failure = FailureReason::runner_system_failure;
  EXPECT_TRUE(status_of(pipeline(), job)->broken);
}

TEST(CommitStatus, IsCutToWhatForgesTakeBetweenCharacters) {
  storage::JobRecord job;
  for (int i = 0; i < 400; ++i) job.reason += "ü";
  job.name = std::string(400, 'n');
  job.status = JobStatus::failed;
  const auto told = status_of(pipeline(), job).value();
  EXPECT_EQ(told.description.size(), std::string("failed: ").size() + ((139UL - 8) * 2) + 3)
      << told.description;
  EXPECT_TRUE(told.description.ends_with("ü…"));
  EXPECT_EQ(told.name.size(), 254U + 3);
  job.reason = "\xff\x01 bad";
  EXPECT_EQ(status_of(pipeline(), job)->description, "failed: \xef\xbf\xbd  bad");
}

TEST(CommitStatus, ComesBackAsItWasWritten) {
  CommitStatus made = status_of(pipeline()).value();
  EXPECT_EQ(decode(encode(made)), made);
  made.job = 9;
  made.allow_failure = made.broken = true;
  made.status = JobStatus::failed;
  made.description = "\"quotes\" and ü";
  EXPECT_EQ(decode(encode(made)), made);
  for (const char* bad : {"", "{}", "[1]", "{\"project\":\"x\"}", "nonsense"})
    EXPECT_FALSE(decode(bad)) << bad;
  std::string unknown = encode(made);
  unknown.replace(unknown.find("\"failed\""), 8, "\"better\"");
  EXPECT_FALSE(decode(unknown));
}

TEST(CommitStatus, HasOneKeyForEachProjectCommitAndName) {
  const CommitStatus one = status_of(pipeline()).value();
  CommitStatus later = one;
  later.status = JobStatus::failed;
  later.pipeline = 8;
  EXPECT_EQ(key_of(one), key_of(later));
  std::set<std::string> keys{key_of(one)};
  later.sha[0] = 'b';
  EXPECT_TRUE(keys.insert(key_of(later)).second);
  later.name += " / build";
  EXPECT_TRUE(keys.insert(key_of(later)).second);
  later.project = 33;
  EXPECT_TRUE(keys.insert(key_of(later)).second);
  EXPECT_FALSE(key_of(later).starts_with(key_prefix_of(3)));
  EXPECT_TRUE(key_of(later).starts_with(key_prefix_of(33)));
}

}  // namespace
}  // namespace runner::forge
