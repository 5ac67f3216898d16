#include "pipelines/status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runner::pipelines {
namespace {

using enum MemberStatus;

struct CompositeCase {
  std::vector<MemberStatus> members;
  JobStatus by_stage;
  JobStatus by_needs;
};

TEST(CompositeStatus, FollowsTheTableRowByRow) {
  const std::vector<CompositeCase> cases = {
      {{}, JobStatus::success, JobStatus::success},
      {{skipped}, JobStatus::skipped, JobStatus::skipped},
      {{ignored, skipped}, JobStatus::skipped, JobStatus::skipped},
      {{success, success}, JobStatus::success, JobStatus::success},
      {{success, skipped}, JobStatus::success, JobStatus::skipped},
      {{success, warn}, JobStatus::success, JobStatus::success},
      {{warn}, JobStatus::success, JobStatus::success},
      {{success, ignored}, JobStatus::success, JobStatus::skipped},
      {{created, warn, ignored}, JobStatus::created, JobStatus::skipped},
      {{created}, JobStatus::created, JobStatus::pending},
      {{created, success}, JobStatus::running, JobStatus::pending},
      {{preparing, warn}, JobStatus::preparing, JobStatus::pending},
      {{canceled, success}, JobStatus::canceled, JobStatus::canceled},
      {{canceled, failed}, JobStatus::failed, JobStatus::failed},
      {{canceled, skipped, success}, JobStatus::canceled, JobStatus::skipped},
      {{pending, created}, JobStatus::pending, JobStatus::pending},
      {{pending, success}, JobStatus::running, JobStatus::pending},
      {{running, failed}, JobStatus::running, JobStatus::pending},
      {{waiting_for_resource, created}, JobStatus::waiting_for_resource, JobStatus::pending},
      {{manual, failed}, JobStatus::manual, JobStatus::pending},
      {{manual, success}, JobStatus::manual, JobStatus::pending},
      {{scheduled, success}, JobStatus::scheduled, JobStatus::pending},
      {{manual, scheduled}, JobStatus::manual, JobStatus::pending},
      {{preparing, success}, JobStatus::preparing, JobStatus::pending},
      {{created, failed}, JobStatus::running, JobStatus::pending},
      {{canceling, success}, JobStatus::canceling, JobStatus::pending},
      {{failed, success}, JobStatus::failed, JobStatus::failed},
      {{failed, skipped}, JobStatus::failed, JobStatus::skipped},
      {{failed, warn}, JobStatus::failed, JobStatus::failed},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(composite_status(cases[i].members, false), cases[i].by_stage) << "row " << i;
    EXPECT_EQ(composite_status(cases[i].members, true), cases[i].by_needs) << "row " << i << ", dag";
  }
}

TEST(MemberStatus, AllowedFailuresWarnAndOptionalManualJobsAreIgnored) {
  EXPECT_EQ(member_status(JobStatus::failed, true), warn);
  EXPECT_EQ(member_status(JobStatus::canceled, true), warn);
  EXPECT_EQ(member_status(JobStatus::manual, true), ignored);
  EXPECT_EQ(member_status(JobStatus::success, true), success);
  EXPECT_EQ(member_status(JobStatus::failed, false), failed);
  EXPECT_EQ(member_status(JobStatus::manual, false), manual);
  EXPECT_EQ(member_status(JobStatus::skipped, false), skipped);
  EXPECT_TRUE(has_warnings(std::vector{success, warn}));
  EXPECT_FALSE(has_warnings(std::vector{success, failed}));
}

TEST(StatusNames, RoundTrip) {
  for (int i = 0; i <= static_cast<int>(JobStatus::skipped); ++i) {
    const auto status = static_cast<JobStatus>(i);
    EXPECT_EQ(parse_job_status(to_string(status)), status);
  }
  for (int i = 0; i <= static_cast<int>(FailureReason::unknown_failure); ++i) {
    const auto reason = static_cast<FailureReason>(i);
    EXPECT_EQ(parse_failure_reason(to_string(reason)), reason);
  }
  EXPECT_EQ(to_string(JobStatus::waiting_for_resource), "waiting_for_resource");
  EXPECT_EQ(parse_job_status("Success"), std::nullopt);
  EXPECT_EQ(parse_failure_reason(""), std::nullopt);
  EXPECT_TRUE(is_completed(JobStatus::skipped));
  EXPECT_FALSE(is_completed(JobStatus::canceling));
  EXPECT_FALSE(is_completed(JobStatus::manual));
}

Retry retry(int max, std::vector<std::string> when = {}, std::vector<int> codes = {}) {
  Retry value;
  value.configured = true;
  value.max = max;
  value.when = std::move(when);
  value.exit_codes = std::move(codes);
  return value;
}

struct RetryCase {
  std::string name;
  Retry retry;
  FailureReason reason;
  std::optional<int> exit_code;
  int runs;
  bool again;
};

TEST(ShouldRetry, FollowsMaxReasonsAndExitCodes) {
  using enum FailureReason;
  const std::vector<RetryCase> cases = {
      {"two retries, first failure", retry(2), script_failure, 1, 1, true},
      {"two retries, second failure", retry(2), script_failure, 1, 2, true},
      {"two retries, third failure", retry(2), script_failure, 1, 3, false},
      {"nothing configured", {}, script_failure, 1, 1, false},
      {"scheduler failure, nothing configured", {}, scheduler_failure, {}, 2, true},
      {"scheduler failure, used up", {}, scheduler_failure, {}, 3, false},
      {"scheduler failure, retry: 0", retry(0), scheduler_failure, {}, 1, false},
      {"exit code not listed", retry(1, {}, {137}), script_failure, 1, 1, false},
      {"exit code listed", retry(1, {}, {137}), script_failure, 137, 1, true},
      {"either: reason", retry(2, {"runner_system_failure"}, {137}), runner_system_failure, {}, 1, true},
      {"either: code", retry(2, {"runner_system_failure"}, {137}), script_failure, 137, 1, true},
      {"either: none", retry(2, {"runner_system_failure"}, {137}), script_failure, 1, 1, false},
      {"always", retry(1, {"always"}), unknown_failure, {}, 1, true},
      {"other reason", retry(1, {"script_failure"}), job_execution_timeout, {}, 1, false},
      {"finer name", retry(1, {"stuck_pending_no_matching_runners"}), stuck_or_timeout_failure, {}, 1, true},
      {"never for missing dependencies", retry(2, {"always"}), missing_dependency_failure, {}, 1, false},
      {"never for unsupported features", retry(2), unsupported_feature, {}, 1, false},
  };
  for (const RetryCase& test : cases)
    EXPECT_EQ(should_retry(test.retry, test.reason, test.exit_code, test.runs), test.again) << test.name;
}

TEST(RetryConditions, NamesAreKnownOrRefused) {
  for (std::string_view name : retry_conditions()) EXPECT_TRUE(is_retry_condition(name)) << name;
  EXPECT_TRUE(is_retry_condition("always"));
  EXPECT_TRUE(is_retry_condition("runner_interrupted"));
  EXPECT_FALSE(is_retry_condition("script_failures"));
  EXPECT_FALSE(is_retry_condition(""));
}

}  // namespace
}  // namespace runner::pipelines
