// The engine with the real shell executor, in copied workspaces and in overlays.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

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
  plan.add("a", 0, {"touch \"$MARK\"; sleep 60"}).after_script = {"echo after-$CI_JOB_STATUS"};
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
