// The engine with the real shell executor, in copied workspaces and in overlays.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"
#include "tests/engine/engine_harness.h"
#include "tests/engine/shell_launcher.h"

namespace runner::test {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;
using pipelines::VariableSource;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ShellEngine : public testing::TestWithParam<cache::MountMode> {
 protected:
  void SetUp() override {
    const TempDir dir;
    if (GetParam() == cache::MountMode::overlay_root &&
        cache::probe_mount_mode(dir.path()).mode != cache::MountMode::overlay_root) {
      GTEST_SKIP() << "no overlay mounts here";
    }
  }

  executors::ShellExecutor executor_{test_launcher()};
  EngineHarness harness_{executor_, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Modes, ShellEngine,
                         testing::Values(cache::MountMode::copy, cache::MountMode::overlay_root),
                         [](const auto& mode) { return std::string(cache::to_string(mode.param)); });

pipelines::Variable variable(const std::string& name, const std::string& value,
                             VariableSource source = VariableSource::job) {
  pipelines::Variable variable;
  variable.name = name;
  variable.value = value;
  variable.source = source;
  return variable;
}

TEST_P(ShellEngine, OneJobRuns) {
  PlanBuilder plan;
  plan.add("hello", 0, {"echo \"hello $CI_JOB_STATUS\"", "test \"$PWD\" = \"$CI_PROJECT_DIR\""});
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("hello");
  EXPECT_EQ(harness_.job("hello").exit_code, 0);
  EXPECT_THAT(harness_.log_lines("hello"), Contains("hello running"));
  EXPECT_THAT(harness_.log_lines("hello"), Contains("Job succeeded"));
  EXPECT_THAT(harness_.log("hello"), HasSubstr("\x1b[32;1m$ echo \"hello $CI_JOB_STATUS\"\x1b[0;m\n"));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, JobSeesTheSourcesAndNeverWritesToThem) {
  write_file_atomic(harness_.source() / "file", "original\n", 0644, false);
  PlanBuilder plan;
  plan.add("a", 0, {"cat file", "echo changed > file", "rm -rf ./*", "touch new"});
  plan.add("b", 1, {"cat file", "test ! -e new"});
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("b");
  EXPECT_EQ(read_file(harness_.source() / "file"), "original\n");
  EXPECT_FALSE(std::filesystem::exists(harness_.source() / "new"));
  EXPECT_THAT(harness_.log_lines("b"), Contains("original"));
}

TEST_P(ShellEngine, ArtifactsReachLaterJobsAndLaterOnesWin) {
  PlanBuilder plan({"one", "two", "three"});
  plan.add("a", 0, {"mkdir -p out/deep", "echo a > out/both", "echo a > out/deep/a"}).artifacts.paths = {
      "out"};
  plan.add("b", 1, {"cat out/both", "echo b > out/both", "echo secret > other"}).artifacts.paths = {
      "out/both"};
  plan.add("c", 2, {"cat out/both out/deep/a", "test ! -e other"});
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("c");
  EXPECT_THAT(harness_.log_lines("b"), Contains("a"));
  EXPECT_THAT(harness_.log_lines("c"), testing::IsSupersetOf({std::string("b"), std::string("a")}));
  ASSERT_TRUE(harness_.job("a").archive);
  EXPECT_EQ(harness_.job("a").archive->files, 2U);
  EXPECT_TRUE(std::filesystem::exists(harness_.job("a").archive->path));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, WhatIsToldOutsideOfTheLogIsMaskedToo) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"true"});
  job.variables.push_back(variable("TOKEN", "verysecretvalue"));
  job.variables.back().masked = true;
  job.artifacts.paths = {"$TOKEN/*.txt"};
  job.environment.emplace();
  job.environment->name = "live";
  job.environment->url = "https://user:$TOKEN@example.org";
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a");
  const auto a = harness_.job("a");
  EXPECT_EQ(a.environment_url, "https://user:[MASKED]@example.org");
  EXPECT_THAT(a.warnings, Contains("no file matches '[MASKED]/*.txt'"));
}

TEST_P(ShellEngine, DotenvAndReportsOfAFailedJobAreRead) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0,
                       {"printf 'URL=http://x/?a=b\\n' > build.env",
                        "echo '<testsuite><testcase name=\"t\"/><testcase name=\"u\"><failure/></testcase>"
                        "</testsuite>' > junit.xml",
                        "echo 'TOTAL 81.5%'", "exit 7"});
  job.artifacts.reports = {{"dotenv", {"build.env"}}, {"junit", {"*.xml"}}};
  job.coverage = "TOTAL \\d+\\.?\\d*";
  job.allow_failure.exit_codes = {7};
  plan.add("b", 1, {"echo \"url $URL\"", "test ! -e build.env"});
  const auto end = harness_.run(plan.plan());
  EXPECT_EQ(end.status, JobStatus::success) << harness_.log("a") << harness_.log("b");
  EXPECT_TRUE(end.warnings);
  const auto a = harness_.job("a");
  EXPECT_TRUE(a.allow_failure);
  EXPECT_EQ(a.exit_code, 7);
  EXPECT_EQ(a.tests_total, 2U);
  EXPECT_EQ(a.tests_failed, 1U);
  EXPECT_EQ(a.coverage, 81.5);
  EXPECT_TRUE(a.reports);
  EXPECT_THAT(harness_.log_lines("b"), Contains("url http://x/?a=b"));
}

TEST_P(ShellEngine, BrokenDotenvFailsTheJob) {
  PlanBuilder plan;
  plan.add("a", 0, {"printf '# comment\\n' > build.env"}).artifacts.reports = {{"dotenv", {"build.env"}}};
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::failed);
  EXPECT_THAT(harness_.job("a").reason, HasSubstr("line 1 has no '='"));
}

TEST_P(ShellEngine, CacheIsRestoredByTheNextJobAndLiesBelowArtifacts) {
  PlanBuilder plan({"one", "two", "three"});
  pipelines::CacheSpec cache;
  cache.key.text = "k-$CI_COMMIT_REF_NAME";
  cache.paths = {"dep"};
  plan.add("a", 0, {"test ! -e dep/x", "mkdir dep", "echo cached > dep/x", "echo cached > dep/y"}).caches = {
      cache};
  auto& b = plan.add("b", 1, {"cat dep/x", "echo artifact > dep/y"});
  b.caches = {cache};
  b.caches[0].policy = "pull";
  b.artifacts.paths = {"dep/y"};
  plan.add("c", 2, {"cat dep/x dep/y"}).caches = {cache};
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a") << harness_.log("b");
  EXPECT_THAT(harness_.log_lines("b"), Contains("cached"));
  EXPECT_THAT(harness_.log_lines("c"),
              testing::IsSupersetOf({std::string("cached"), std::string("artifact")}));
  EXPECT_THAT(harness_.log("b"), HasSubstr("its policy is pull"));
  EXPECT_EQ(harness_.engine().stats().cache_misses, 1U);
  EXPECT_EQ(harness_.engine().stats().cache_hits, 2U);
}

TEST_P(ShellEngine, SameFilesMayBeArtifactsAndBelongToTwoCaches) {
  PlanBuilder plan({"one", "two"});
  std::vector<pipelines::CacheSpec> caches(2);
  caches[0].key.text = "first";
  caches[0].paths = {"dep"};
  caches[1].key.text = "second";
  caches[1].paths = {"dep/*"};
  auto& a = plan.add("a", 0, {"mkdir dep", "echo x > dep/x"});
  a.caches = caches;
  a.artifacts.paths = {"dep"};
  auto& b = plan.add("b", 1, {"cat dep/x"});
  b.caches = {caches[1]};
  b.artifact_sources = {};
  plan.add("c", 1, {"cat dep/x"});
  auto& d = plan.add("d", 1, {"cat dep/x"});
  d.caches = {caches[0]};
  d.artifact_sources = {};
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a") << harness_.log("b");
}

TEST_P(ShellEngine, ScriptEntriesShareAShellAndStopAtTheFirstFailure) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"echo $X", "false | true", "echo never"});
  job.before_script = {"export X=exported", "cd /"};
  job.after_script = {"echo after-${X:-unset}-$CI_JOB_STATUS", "test \"$PWD\" = \"$CI_PROJECT_DIR\"",
                      "exit 3"};
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").status, JobStatus::failed);
  EXPECT_EQ(harness_.job("a").failure, FailureReason::script_failure);
  EXPECT_EQ(harness_.job("a").exit_code, 1);
  EXPECT_THAT(harness_.log_lines("a"), Contains("exported"));
  EXPECT_THAT(harness_.log_lines("a"), Contains("after-unset-failed"));
  EXPECT_THAT(harness_.log_lines("a"), Contains("WARNING: after_script failed: exit code 3"));
  EXPECT_THAT(harness_.log("a"), Not(HasSubstr("never")));
}

TEST_P(ShellEngine, AfterScriptErrorsCountWhenAskedTo) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"echo NAME=handed over >> $GITLAB_ENV"});
  job.after_script = {"echo $NAME", "exit 3"};
  job.variables = {variable("AFTER_SCRIPT_IGNORE_ERRORS", "false")};
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").status, JobStatus::failed);
  EXPECT_EQ(harness_.job("a").exit_code, 3);
  EXPECT_THAT(harness_.log_lines("a"), Contains("handed over"));
}

TEST_P(ShellEngine, SignalDeathIs128PlusSignal) {
  PlanBuilder plan;
  plan.add("a", 0, {"kill -KILL $$"});
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").exit_code, 128 + SIGKILL);
}

TEST_P(ShellEngine, JobTimeoutEndsTheJobWithoutAfterScript) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"echo started; sleep 60"});
  job.after_script = {"echo after"};
  job.timeout = std::chrono::milliseconds(300);
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").failure, FailureReason::job_execution_timeout);
  EXPECT_THAT(harness_.log_lines("a"), Not(Contains("after")));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, TimedOutJobLeavesWhatItsFailureAsksFor) {
  PlanBuilder plan({"one", "two"});
  auto& a =
      plan.add("a", 0, {"mkdir d out; echo cached > d/x; echo out > out/x; echo V=told > a.env", "sleep 60"});
  a.timeout = std::chrono::seconds(5);  // enough for what it writes first, also on a machine that is busy
  a.allow_failure.always = true;
  a.artifacts.paths = {"out"};
  a.artifacts.when = pipelines::SaveWhen::on_failure;
  a.artifacts.reports = {{"dotenv", {"a.env"}}};
  pipelines::CacheSpec cache;
  cache.paths = {"d"};
  cache.when = pipelines::SaveWhen::always;
  a.caches = {cache};
  plan.add("b", 1, {"cat d/x out/x", "echo \"$V\""}).caches = {cache};
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").failure, FailureReason::job_execution_timeout);
  EXPECT_TRUE(harness_.job("a").archive);
  EXPECT_THAT(harness_.log_lines("b"),
              testing::IsSupersetOf({std::string("cached"), std::string("out"), std::string("told")}));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, TimedOutJobLeavesNothingThatIsForSuccess) {
  PlanBuilder plan;
  auto& a = plan.add("a", 0, {"mkdir d; echo x > d/x", "sleep 60"});
  a.timeout = std::chrono::milliseconds(300);
  a.artifacts.paths = {"d"};
  pipelines::CacheSpec cache;
  cache.paths = {"d"};
  a.caches = {cache};
  harness_.run(plan.plan());
  EXPECT_FALSE(harness_.job("a").archive);
  EXPECT_THAT(harness_.layers().list({}), IsEmpty());
}

TEST_P(ShellEngine, TooLargeArtifactsFailTheJobAndNameTheLimit) {
  engine::EngineOptions options;
  options.artifact_size_limit = 1000;
  EngineHarness harness(executor_, GetParam(), options);
  PlanBuilder plan;
  plan.add("small", 0, {"head -c 1000 /dev/zero > small"}).artifacts.paths = {"small"};
  plan.add("large", 0, {"head -c 1001 /dev/zero > large"}).artifacts.paths = {"large"};
  harness.run(plan.plan());
  EXPECT_EQ(harness.status("small"), JobStatus::success) << harness.log("small");
  EXPECT_EQ(harness.job("large").failure, FailureReason::script_failure);
  EXPECT_THAT(harness.job("large").reason, HasSubstr("1000 B"));
  EXPECT_FALSE(harness.job("large").archive);
  EXPECT_EQ(harness.layers().list({}).size(), 1U);
}

TEST_P(ShellEngine, RetriedAttemptsReplaceTheirArtifacts) {
  PlanBuilder plan({"one", "two"});
  auto& a = plan.add("a", 0, {"echo $CI_JOB_ID > id; test -e \"$MARK\" || { touch \"$MARK\"; exit 1; }"});
  a.artifacts.paths = {"id"};
  a.artifacts.when = pipelines::SaveWhen::always;
  a.retry = {1, {"always"}, {}, true};
  plan.add("b", 1, {"cat id", "echo mine $CI_JOB_ID"});
  auto request = harness_.request(plan.plan());
  request.base_environment["MARK"] = (harness_.data() / "mark").string();
  EXPECT_EQ(harness_.run(std::move(request)).status, JobStatus::success) << harness_.log("a");
  const auto kept = harness_.layers().list({cache::Space::artifact, {}, {}});
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].name, (cache::EntryName{cache::Space::artifact, "group/project", "a"}));
  EXPECT_EQ(kept[0].facts.origin, "job 'a' of pipeline " + std::to_string(harness_.pipeline()));
  EXPECT_EQ(read_file(kept[0].layers.at(0).tree / "id"), "3\n");
  EXPECT_THAT(harness_.log_lines("b"), Contains("3"));
}

TEST_P(ShellEngine, KeptArtifactsOfJobsThatDoNotRunAreTaken) {
  PlanBuilder plan({"one", "two"});
  auto& a = plan.add("a", 0, {"echo old > x; echo V=kept > a.env"});
  a.artifacts.paths = {"x"};
  a.artifacts.reports = {{"dotenv", {"a.env"}}};
  plan.add("b", 1, {"cat x; echo \"$V\""});
  auto first = harness_.request(plan.plan());
  first.selection = {0};
  first.name = [] { return std::string("run 7"); };
  EXPECT_EQ(harness_.run(std::move(first)).status, JobStatus::success) << harness_.log("a");
  auto second = harness_.request(plan.plan());
  second.selection = {1};
  second.kept_artifacts[0] = harness_.layers().find({cache::Space::artifact, "group/project", "a"});
  ASSERT_NE(second.kept_artifacts[0], nullptr);
  EXPECT_EQ(harness_.run(std::move(second)).status, JobStatus::success) << harness_.log("b");
  EXPECT_THAT(harness_.log_lines("b"), testing::IsSupersetOf({std::string("old"), std::string("kept")}));
  EXPECT_THAT(harness_.log("b"), HasSubstr("ago by job 'a' of run 7"));
}

TEST_P(ShellEngine, ArtifactsAndCachesOfTheSameFilesAreBothWhole) {
  PlanBuilder plan({"one", "two"});
  std::vector<pipelines::CacheSpec> caches(3);
  caches[0].key.text = "all";
  caches[0].paths = {"**/*.txt"};
  caches[1].key.text = "dep";
  caches[1].paths = {"dep/"};
  caches[2].key.text = "new";
  caches[2].untracked = true;
  auto& a = plan.add(
      "a", 0, {"mkdir -p dep/deep out", "echo 1 > dep/deep/a.txt", "echo 2 > out/b.txt", "echo 3 > dep/c"});
  a.caches = caches;
  a.artifacts.paths = {"out", "dep/deep"};
  plan.add("artifacts", 1, {"cat dep/deep/a.txt out/b.txt; test ! -e dep/c"});
  const std::pair<const char*, const char*> expected[] = {
      {"all", "cat dep/deep/a.txt out/b.txt; test ! -e dep/c"},
      {"dep", "cat dep/deep/a.txt dep/c; test ! -e out"},
      {"new", "cat dep/deep/a.txt out/b.txt dep/c"}};
  for (std::size_t i = 0; i < caches.size(); ++i) {
    auto& job = plan.add(expected[i].first, 1, {expected[i].second});
    job.caches = {caches[i]};
    job.artifact_sources = {};
  }
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a");
  for (const auto& [name, script] : expected)
    EXPECT_EQ(harness_.status(name), JobStatus::success) << harness_.log(name);
  EXPECT_EQ(harness_.status("artifacts"), JobStatus::success) << harness_.log("artifacts");
}

#ifdef RUNNER_FAILPOINTS
TEST_P(ShellEngine, ACacheThatCannotBeSavedIsAWarningAndTheOldOneStays) {
  PlanBuilder plan;
  pipelines::CacheSpec cache;
  cache.paths = {"d"};
  plan.add("a", 0, {"cat d/x || true; mkdir -p d; echo $TIME > d/x"}).caches = {cache};
  const auto run = [&](const char* time) {
    auto request = harness_.request(plan.plan());
    request.base_environment["TIME"] = time;
    return harness_.run(std::move(request)).status;
  };
  EXPECT_EQ(run("first"), JobStatus::success) << harness_.log("a");
  set_failpoint_handler([](std::string_view name) {
    if (name == "layers.commit") throw Error(ErrorCode::unavailable, "no space left on device");
  });
  const JobStatus status = run("second");
  set_failpoint_handler({});
  EXPECT_EQ(status, JobStatus::success);
  EXPECT_THAT(harness_.log("a"), HasSubstr("WARNING: cache 'default-non_protected' cannot be saved: "));
  EXPECT_THAT(harness_.log("a"), HasSubstr("no space left on device"));
  EXPECT_EQ(run("third"), JobStatus::success);
  EXPECT_THAT(harness_.log_lines("a"), Contains("first"));
  EXPECT_THAT(harness_.layers().verify(true).problems, IsEmpty());
}
#endif

TEST_P(ShellEngine, ScriptTimeoutStillRunsAfterScript) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"sleep 60"});
  job.after_script = {"echo after-$CI_JOB_STATUS"};
  job.variables = {variable("RUNNER_SCRIPT_TIMEOUT", "200ms")};
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").failure, FailureReason::job_execution_timeout);
  EXPECT_THAT(harness_.log_lines("a"), Contains("after-timedout"));
}

TEST_P(ShellEngine, CancelStopsTheScriptAndRunsAfterScript) {
  PlanBuilder plan;
  auto& a = plan.add("a", 0, {"echo x > out; touch \"$MARK\"; sleep 60"});
  a.after_script = {"echo after-$CI_JOB_STATUS"};
  a.artifacts.paths = {"out"};
  a.artifacts.when = pipelines::SaveWhen::always;
  plan.add("b", 1);
  auto request = harness_.request(plan.plan());
  const auto mark = harness_.data() / "mark";
  request.base_environment["MARK"] = mark.string();
  const std::int64_t id = harness_.engine().create(std::move(request));
  harness_.adopt(id);
  std::thread canceler([&] {
    while (!std::filesystem::exists(mark)) std::this_thread::yield();
    harness_.engine().cancel(id);
  });
  const auto end = harness_.engine().run(id);
  canceler.join();
  EXPECT_EQ(end.status, JobStatus::canceled);
  EXPECT_EQ(harness_.status("a"), JobStatus::canceled);
  EXPECT_EQ(harness_.status("b"), JobStatus::canceled);
  EXPECT_THAT(harness_.log_lines("a"), Contains("after-canceled"));
  EXPECT_TRUE(harness_.job("a").archive);
  EXPECT_THAT(harness_.log("a"), Not(HasSubstr("trap")));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, KillEndsWhatIgnoresTerminationAndRunsNoAfterScript) {
  PlanBuilder plan;
  plan.add("a", 0, {"trap '' TERM INT HUP; touch \"$MARK\"; while :; do sleep 1; done"}).after_script = {
      "echo after"};
  auto request = harness_.request(plan.plan());
  const auto mark = harness_.data() / "mark";
  request.base_environment["MARK"] = mark.string();
  const std::int64_t id = harness_.engine().create(std::move(request));
  harness_.adopt(id);
  std::thread killer([&] {
    while (!std::filesystem::exists(mark)) std::this_thread::yield();
    harness_.engine().cancel(id);
    harness_.engine().kill(id);
  });
  const auto end = harness_.engine().run(id);
  killer.join();
  EXPECT_EQ(end.status, JobStatus::canceled);
  EXPECT_THAT(harness_.log_lines("a"), Not(Contains("after")));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, SecretPrintedInTwoHalvesIsMasked) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"printf 'the sec'; sleep 0.05; printf 'ret-value ends\\n'; echo $TOKEN"});
  auto token = variable("TOKEN", "secret-value", VariableSource::project);
  token.masked = true;
  job.variables = {token};
  harness_.run(plan.plan());
  EXPECT_THAT(harness_.log_lines("a"), Contains("the [MASKED] ends"));
  EXPECT_THAT(harness_.log("a"), Not(HasSubstr("secret-value")));
  EXPECT_THAT(harness_.observer().output(0, 1), Not(HasSubstr("secret-value")));
}

TEST_P(ShellEngine, HugeOutputNeedsLittleMemoryAndIsCutOnce) {
  engine::EngineOptions options;
  options.log_limit = 1U << 20U;
  EngineHarness harness(executor_, GetParam(), options);
  PlanBuilder plan;
  plan.add("a", 0, {"head -c 200000000 /dev/zero | tr '\\0' x"});
  rusage before{}, after{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  EXPECT_EQ(harness.run(plan.plan()).status, JobStatus::success);
  ASSERT_EQ(getrusage(RUSAGE_SELF, &after), 0);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024) << "KiB";
  const std::string log = harness.log("a");
  EXPECT_LT(log.size(), (1U << 20U) + 1000U);
  EXPECT_THAT(log.substr(1U << 20U), HasSubstr("The log has reached its limit"));
}

TEST_P(ShellEngine, JobThatRemovesItsWorkspaceEndsAsItsScriptDid) {
  PlanBuilder plan;
  plan.add("a", 0, {"rm -rf \"$CI_PROJECT_DIR\" || true", "chmod 000 . || true", "echo done"})
      .artifacts.paths = {"nothing"};
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a");
  EXPECT_TRUE(std::filesystem::exists(harness_.source()));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_P(ShellEngine, EmptyStrategyGivesAnEmptyWorkspace) {
  write_file_atomic(harness_.source() / "file", "x", 0644, false);
  PlanBuilder plan;
  plan.add("a", 0, {"ls -A | wc -l"}).variables = {variable("GIT_STRATEGY", "none")};
  plan.add("b", 0, {"cat file"}).variables = {variable("GIT_STRATEGY", "sometimes")};
  plan.add("c", 0, {"true"}).variables = {variable("GIT_SUBMODULE_STRATEGY", "sometimes")};
  harness_.run(plan.plan());
  EXPECT_THAT(harness_.log_lines("a"), Contains("0")) << harness_.log("a");
  EXPECT_EQ(harness_.status("b"), JobStatus::success);
  EXPECT_THAT(harness_.log("b"), HasSubstr("WARNING: GIT_STRATEGY should be"));
  EXPECT_EQ(harness_.job("c").failure, FailureReason::runner_system_failure);
}

TEST_P(ShellEngine, WhatTheMachineDidIsTriedAgainAfterATime) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0);
  job.variables = {variable("GIT_SUBMODULE_STRATEGY", "sometimes")};
  job.retry = {2, {"runner_system_failure"}, {}, true};
  plan.add("b", 0, {"exit 1"}).retry = {1, {}, {}, true};
  harness_.run(plan.plan());
  EXPECT_EQ(harness_.job("a").attempt, 3);
  EXPECT_THAT(harness_.observer().history(0), Contains(JobStatus::scheduled).Times(2));
  EXPECT_EQ(harness_.job("b").attempt, 2);
  EXPECT_THAT(harness_.observer().history(1), Not(Contains(JobStatus::scheduled)));
}

TEST_P(ShellEngine, FileVariablesOddNamesAndLargeValues) {
  PlanBuilder plan;
  auto& job = plan.add("a", 0, {"cat \"$CERT\"", "echo ${#LARGE}", "stat -c %a \"$CERT\""});
  auto cert = variable("CERT", "line one\nline two\n", VariableSource::project);
  cert.file = true;
  job.variables = {cert, variable("1ODD", "x"), variable("ODD-NAME", "x"),
                   variable("LARGE", std::string(200'000, 'x'))};
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("a");
  const auto lines = harness_.log_lines("a");
  EXPECT_THAT(lines, testing::IsSupersetOf({std::string("line one"), std::string("line two"),
                                            std::string("200000"), std::string("600")}));
  EXPECT_THAT(harness_.log("a"), HasSubstr("variable '1ODD' is left out"));
  EXPECT_THAT(harness_.log("a"), HasSubstr("variable 'ODD-NAME' is left out"));
}

TEST_P(ShellEngine, UntrackedArtifactsAreWhatGitDoesNotTrack) {
  write_file_atomic(harness_.source() / "tracked", "x", 0644, false);
  PlanBuilder plan({"one", "two"});
  auto& a = plan.add("a", 0, {"echo y > tracked", "mkdir d", "echo n > d/new", "echo o > d/skip.o"});
  a.artifacts.untracked = true;
  a.artifacts.exclude = {"**/*.o"};
  plan.add("b", 1, {"cat tracked d/new", "test ! -e d/skip.o"});
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success) << harness_.log("b");
  EXPECT_THAT(harness_.log_lines("b"), Contains("xn"));
}

TEST_P(ShellEngine, EntriesWithNewlinesAreEchoedByTheirFirstLine) {
  PlanBuilder plan;
  plan.add("a", 0, {"echo 'it''s' one\necho two", "  echo three  ", ""});
  EXPECT_EQ(harness_.run(plan.plan()).status, JobStatus::success);
  EXPECT_THAT(harness_.log("a"),
              HasSubstr("$ echo 'it''s' one # collapsed multi-line command\x1b[0;m\nits one\ntwo\n"));
  EXPECT_THAT(harness_.log("a"), HasSubstr("$ echo three\x1b[0;m\nthree\n\n"));
}

}  // namespace
}  // namespace runner::test
