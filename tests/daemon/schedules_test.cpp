// Schedules of a server with a real repository: due, missed, wrong, killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "runner/daemon/data_directory.h"
#include "runner/storage/schedule_table.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;
using storage::ScheduleRecord;
using storage::Schedules;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kFile = R"yml(
job:
  script: ['echo "$CI_PIPELINE_SOURCE|$TARGET|$CI_PIPELINE_SCHEDULE_DESCRIPTION|$CI_COMMIT_BRANCH"']
  rules: [{if: '$CI_PIPELINE_SOURCE == "schedule"'}]
)yml";

/// A project that nobody polls, so that only schedules make pipelines.
class ScheduledServer : public testing::Test {
 public:
  ScheduledServer() : sealer(daemon::open_sealer(served.data(), served.store())) {
    served.write(".gitlab-ci.yml", kFile);
    commit = served.commit("first");
    storage::ProjectRecord quiet;
    quiet.poll_interval = std::chrono::milliseconds(0);
    quiet.branches = {"nothing"};
    project = served.add_project(quiet);
  }

  std::int64_t add(TimePoint next, const std::string& ref = "main", const std::string& cron = "0 3 * * *") {
    ScheduleRecord schedule;
    schedule.project = project.id;
    schedule.description = "nightly";
    schedule.cron = cron;
    schedule.time_zone = "UTC";
    schedule.ref = ref;
    schedule.owner = "kim";
    schedule.next_run_at = next;
    schedule.created_at = schedule.reckoned_at = clock.now();
    std::int64_t id = 0;
    served.store().write(
        [&](storage::Tx& tx) { id = Schedules(tx, sealer).insert(schedule, R"({"TARGET":"staging"})"); });
    return id;
  }
  ScheduleRecord find(std::int64_t id) {
    ScheduleRecord found;
    served.store().read([&](storage::Tx& tx) { found = Schedules(tx, sealer).find(id).value(); });
    return found;
  }

  Served served;
  storage::Sealer sealer;
  SystemClock clock;
  std::string commit;
  storage::ProjectRecord project;
};

TEST_F(ScheduledServer, ADueOneMakesOnePipelineWithItsVariables) {
  const std::int64_t id = add(clock.now() + std::chrono::milliseconds(700));
  served.start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].source, "schedule");
  EXPECT_EQ(pipelines[0].sha, commit);
  EXPECT_EQ(pipelines[0].ref, "main");
  EXPECT_EQ(pipelines[0].started_by, "kim");
  EXPECT_EQ(pipelines[0].status, JobStatus::success);
  EXPECT_THAT(served.log(served.jobs(pipelines[0].id).at(0)), HasSubstr("schedule|staging|nightly|main\n"));
  const ScheduleRecord after = find(id);
  EXPECT_GT(after.next_run_at, clock.now());
  EXPECT_EQ(after.last_pipeline, pipelines[0].id);
  EXPECT_EQ(after.last_error, "");
  served.stop();
  served.start();
  served.stop();
  EXPECT_THAT(served.pipelines(), SizeIs(1));
}

TEST_F(ScheduledServer, WhatWasMissedWhileNobodyServedComesOnce) {
  const std::int64_t id = add(clock.now() - std::chrono::days(3), "", "*/5 * * * *");
  served.start();
  served.wait_for(1);
  EXPECT_GT(find(id).next_run_at, clock.now());
  EXPECT_LE(find(id).next_run_at, clock.now() + std::chrono::minutes(5));
}

TEST_F(ScheduledServer, AWrongPipelineFileGivesAPipelineThatSaysWhy) {
  served.write(".gitlab-ci.yml", "job:\n  stage: nowhere\n  script: ['true']\n");
  served.commit("broken");
  const std::int64_t id = add(clock.now());
  served.start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::failed);
  EXPECT_EQ(pipelines[0].source, "schedule");
  EXPECT_EQ(pipelines[0].once_key, std::nullopt);
  EXPECT_THAT(find(id).last_error, HasSubstr(".gitlab-ci.yml:2:"));
  EXPECT_EQ(find(id).last_pipeline, pipelines[0].id);
  EXPECT_GT(find(id).next_run_at, clock.now());
}

TEST_F(ScheduledServer, ARefThatIsNotThereIsWaitedFor) {
  const std::int64_t id = add(clock.now(), "later");
  served.start();
  served.wait_until([&](const auto&) { return find(id).failures > 0; });
  EXPECT_THAT(find(id).last_error, HasSubstr("there is no branch and no tag 'later'"));
  EXPECT_THAT(served.pipelines(), IsEmpty());
  served.stop();
  served.git("git branch later");
  // As after the time that it is put off for.
  const ScheduleRecord schedule = find(id);
  served.store().write([&](storage::Tx& tx) {
    EXPECT_TRUE(Schedules(tx, sealer).put_off(id, *schedule.next_run_at, clock.now(), "not yet"));
  });
  served.start();
  EXPECT_EQ(served.wait_for(1)[0].ref, "later");
  EXPECT_EQ(find(id).failures, 0);
}

pid_t start_server(const std::filesystem::path& data, const std::string& failpoint) {
  const std::string variable = "RUNNER_FAILPOINT=" + failpoint;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!failpoint.empty()) ::putenv(const_cast<char*>(variable.c_str()));
    ::execl(SERVE_PROGRAM, SERVE_PROGRAM, data.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

/// Before the fetch, after it, before the transaction and after it.
constexpr const char* kBoundaries[] = {"schedules.due",  "look.fetched_ref", "daemon.planned",
                                       "engine.created", "daemon.made",      "schedules.made"};

TEST_F(ScheduledServer, IsRunExactlyOnceWhereverTheServerIsKilled) {
  std::int64_t expected = 0;
  for (const char* failpoint : kBoundaries) {
    SCOPED_TRACE(failpoint);
    const std::int64_t id = add(clock.now() - std::chrono::hours(1));
    int status = 0;
    ::waitpid(start_server(served.data(), failpoint), &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const pid_t next = start_server(served.data(), {});
    ++expected;
    const auto pipelines = served.wait_for(static_cast<std::size_t>(expected));
    served.wait_until([&](const auto&) { return find(id).last_pipeline.has_value(); });
    ::kill(next, SIGTERM);
    ::waitpid(next, &status, 0);
    EXPECT_THAT(pipelines, SizeIs(expected));
    EXPECT_EQ(find(id).last_pipeline, pipelines.back().id);
    EXPECT_GT(find(id).next_run_at, clock.now());
    EXPECT_EQ(find(id).last_error, "");
    EXPECT_EQ(pipelines.back().status, JobStatus::success);
  }
}

}  // namespace
}  // namespace runner::test
