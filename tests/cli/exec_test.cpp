// The built program, from the outside.

#include <gmock/gmock.h>

#include <fcntl.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cache/layer_store.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cli/program.h"
#include "tests/support/sanitized.h"
#include "tests/support/sync_process.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kEcho =
    "hello:\n"
    "  script:\n"
    "    - echo \"hello from $CI_JOB_NAME\"\n";

nlohmann::json report_of(const Sandboxed& box) {
  return nlohmann::json::parse(box.read("report.json"));
}

bool is_empty_or_missing(const fs::path& directory) {
  return !fs::exists(directory) || fs::directory_iterator(directory) == fs::directory_iterator();
}

TEST(Exec, AJobRunsAndIsReported) {
  const Sandboxed box(kEcho);
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("hello │ hello from hello\n"));
  EXPECT_THAT(ended.out, HasSubstr("✓ pipeline passed"));
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
  const auto report = report_of(box);
  EXPECT_EQ(report["status"], "success");
  ASSERT_EQ(report["jobs"].size(), 1U);
  const auto& job = report["jobs"][0];
  EXPECT_EQ(job["name"], "hello");
  EXPECT_EQ(job["stage"], "test");
  EXPECT_EQ(job["status"], "success");
  EXPECT_EQ(job["allow_failure"], false);
  EXPECT_EQ(job["exit_code"], 0);
  EXPECT_TRUE(job["duration"].is_number());
  EXPECT_THAT(job["log"].get<std::string>(), HasSubstr("hello from hello\n"));
  EXPECT_TRUE(is_empty_or_missing(box.data() / "work"));
}

TEST(Exec, AFailureExitsOneAndSaysHowToRepeatIt) {
  const Sandboxed box(
      "build: {stage: build, script: [echo x > out], artifacts: {paths: [out]}}\n"
      "unit tests: {stage: test, script: [echo broken, exit 3]}\n"
      "deploy: {stage: deploy, script: [echo never]}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json", "--var", "A=b c"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("broken"));
  EXPECT_THAT(ended.out, HasSubstr("runner exec --var 'A=b c' build 'unit tests'"));
  const auto report = report_of(box);
  EXPECT_EQ(report["status"], "failed");
  EXPECT_EQ(report["jobs"][1]["status"], "failed");
  EXPECT_EQ(report["jobs"][1]["exit_code"], 3);
  EXPECT_EQ(report["jobs"][2]["status"], "skipped");
}

TEST(Exec, AnInvalidPipelineRunsNothing) {
  const Sandboxed box("build: {script: [touch ran]}\ntest: {stage: nowhere, script: [touch ran]}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr(".gitlab-ci.yml:2:"));
  EXPECT_THAT(ended.err, HasSubstr(": error: "));
  EXPECT_THAT(ended.err, HasSubstr("nowhere"));
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_FALSE(fs::exists(box.project() / ".." / "report.json"));
}

TEST(Exec, AManualJobWaitsUntilItIsAskedFor) {
  const Sandboxed box(
      "build: {stage: build, script: [echo built]}\n"
      "go live: {stage: deploy, when: manual, script: [echo live]}\n");
  const Ended waiting = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(waiting.code, 0) << waiting.err;
  EXPECT_THAT(waiting.out, HasSubstr("'go live' waits for you: runner exec --manual 'go live'"));
  EXPECT_EQ(report_of(box)["jobs"][1]["status"], "manual");
  const Ended played = box.run({"exec", "--manual", "go live", "--report", "../report.json"});
  EXPECT_EQ(played.code, 0) << played.err;
  EXPECT_EQ(report_of(box)["jobs"][1]["status"], "success");
  const Ended named = box.run({"exec", "go live", "--report", "../report.json"});
  EXPECT_EQ(named.code, 0) << named.err;
  ASSERT_EQ(report_of(box)["jobs"].size(), 1U);
  EXPECT_EQ(report_of(box)["jobs"][0]["status"], "success");
}

TEST(Exec, TheWorkingTreeIsNotWrittenTo) {
  const Sandboxed box(
      "write: {script: ['echo changed > tracked', 'touch new', 'rm .gitlab-ci.yml', 'cat visible']}\n");
  box.write("tracked", "original\n");
  box.write("visible", "uncommitted\n");
  const Ended ended = box.run({"exec"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("uncommitted"));
  EXPECT_EQ(box.read("project/tracked"), "original\n");
  EXPECT_FALSE(fs::exists(box.project() / "new"));
  EXPECT_TRUE(fs::exists(box.project() / ".gitlab-ci.yml"));
}

TEST(Exec, ADirectoryWithoutGitWorks) {
  const Sandboxed box(kEcho, false);
  const Ended ended = box.run({"exec"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("hello from hello"));
}

TEST(Exec, ColoursObeyTheirSwitches) {
  Sandboxed box(kEcho);
  box.environment = {"CLICOLOR_FORCE=1"};
  EXPECT_THAT(box.run({"exec"}).out, HasSubstr("\x1b["));
  EXPECT_THAT(box.run({"exec", "--no-color"}).out, Not(HasSubstr("\x1b")));
  box.environment.emplace_back("NO_COLOR=1");
  EXPECT_THAT(box.run({"exec"}).out, Not(HasSubstr("\x1b")));
}

TEST(Exec, SecretsAreMaskedEverywhere) {
  Sandboxed box("leak: {script: ['echo \"it is $API_TOKEN\"']}\n");
  box.environment = {"API_TOKEN=verysecretvalue"};
  const Ended ended = box.run({"exec", "--secret", "API_TOKEN", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out + ended.err + box.read("report.json"), Not(HasSubstr("verysecretvalue")));
  EXPECT_THAT(ended.out, HasSubstr("it is [MASKED]"));
  EXPECT_EQ(box.run({"exec", "--secret", "MISSING"}).code, 2);
  const Ended refused = box.run({"exec", "--secret", "A=short"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, Not(HasSubstr("short\n")));
}

TEST(Exec, ASecretOfSeveralLinesIsMaskedLineByLine) {
  Sandboxed box("leak: {script: ['echo \"$KEY\"', 'true']}\n");
  box.environment = {"KEY=-----BEGIN KEY-----\nfirst line of it\nlast-line-of-it\n"};
  const Ended ended = box.run({"exec", "--secret", "KEY"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* line : {"BEGIN KEY", "first line of it", "last-line-of-it"})
    EXPECT_THAT(ended.out + ended.err, Not(HasSubstr(line)));
  EXPECT_EQ(box.run({"exec", "--secret", "A=a\nb\nc\nd\ne\nf"}).code, 2);
  EXPECT_EQ(box.run({"exec", "--secret", "A=one two three"}).code, 2);
}

TEST(Exec, UnknownJobsAreRefused) {
  const Sandboxed box(kEcho);
  const Ended ended = box.run({"exec", "helo"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.err, "runner: error: no job is called 'helo'\n  help: did you mean 'hello'?\n");
}

TEST(Exec, AJobThatWantsAContainerIsRefused) {
  const Sandboxed box(
      "plain: {script: [echo plain]}\n"
      "boxed: {image: alpine, script: [echo boxed]}\n"
      "later: {image: alpine, when: manual, script: [echo later]}\n");
  const Ended refused = box.run({"exec"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("'boxed'"));
  EXPECT_THAT(refused.err, Not(HasSubstr("'later'")));
  EXPECT_THAT(refused.err, HasSubstr("--executor shell"));
  EXPECT_THAT(refused.out, IsEmpty());
  EXPECT_EQ(box.run({"exec", "plain"}).code, 0);
  const Ended shell = box.run({"exec", "--executor", "shell"});
  EXPECT_EQ(shell.code, 0) << shell.err;
  EXPECT_THAT(shell.out, HasSubstr("boxed"));
}

TEST(Exec, NothingToRunIsNoFailure) {
  const Sandboxed box("workflow: {rules: [{when: never}]}\njob: {script: [echo]}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, HasSubstr("nothing to run"));
  EXPECT_EQ(box.read("report.json"), "{\"status\":\"skipped\",\"jobs\":[]}\n");
}

TEST(Exec, WithoutAPipelineFileItSaysSo) {
  const Sandboxed box("");
  const Ended ended = box.run({"exec"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("no pipeline configuration found"));
}

TEST(Exec, TheSpecificFileWinsWithANotice) {
  const Sandboxed box(kEcho);
  box.write(".runner.yml", "own: {script: [echo own]}\n");
  const Ended ended = box.run({"exec"});
  EXPECT_THAT(ended.err, HasSubstr("using .runner.yml"));
  EXPECT_THAT(ended.out, HasSubstr("own │ own"));
  EXPECT_THAT(box.run({"exec", "-f", ".gitlab-ci.yml"}).out, HasSubstr("hello from hello"));
}

TEST(Exec, ItWorksFromASubdirectory) {
  const Sandboxed box(kEcho);
  box.write("sub/file", "x");
  EXPECT_THAT(box.run({"exec", "-C", "sub"}).out, HasSubstr("hello from hello"));
}

TEST(Exec, JsonIsOneDocument) {
  const Sandboxed box(kEcho);
  const Ended ended = box.run({"exec", "--json"});
  const auto json = nlohmann::json::parse(ended.out);
  EXPECT_EQ(json["status"], "success");
  EXPECT_EQ(json["jobs"][0]["attempts"], 1);
}

TEST(Exec, LooksWithoutRunning) {
  const Sandboxed box("a: {script: [exit 1]}\nb: {script: [exit 1], rules: [{if: $NEVER}]}\n");
  const Ended list = box.run({"exec", "--list"});
  EXPECT_EQ(list.code, 0);
  EXPECT_THAT(list.out, HasSubstr("a"));
  EXPECT_EQ(box.run({"exec", "--list", "--quiet"}).out, "a\n");
  EXPECT_THAT(box.run({"exec", "--plan"}).out, HasSubstr("not in this pipeline"));
  EXPECT_EQ(nlohmann::json::parse(box.run({"exec", "--plan", "--json"}).out)["jobs"].size(), 1U);
  const Ended why = box.run({"exec", "--explain", "b"});
  EXPECT_EQ(why.code, 0);
  EXPECT_THAT(why.out, HasSubstr("'b' is not in the pipeline"));
  EXPECT_EQ(box.run({"exec", "--explain", "c"}).code, 2);
}

TEST(Exec, CtrlCStopsEverything) {
  const Sandboxed box(
      "wait:\n"
      "  script: [echo ready, sleep 98765.4321]\n"
      "  after_script: [echo tidied]\n"
      "later: {stage: deploy, script: [echo never]}\n");
  const auto running = box.start({"exec", "--report", "../report.json"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->signal_group(SIGINT);
  const Ended ended = running->wait();
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("tidied"));
  EXPECT_THAT(ended.out, HasSubstr("pipeline canceled"));
  EXPECT_EQ(report_of(box)["status"], "canceled");
  EXPECT_EQ(report_of(box)["jobs"][0]["status"], "canceled");
  EXPECT_THAT(processes_with("98765.4321"), IsEmpty());
  EXPECT_TRUE(is_empty_or_missing(box.data() / "work"));
}

TEST(Exec, ASecondCtrlCKills) {
  const Sandboxed box(
      "stubborn: {script: [\"trap '' TERM INT\", echo ready, 'while :; do sleep 87654.321; done']}\n");
  const auto running = box.start({"exec"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->signal_group(SIGINT);
  ASSERT_TRUE(running->wait_for("once more kills them"));
  running->signal_group(SIGINT);
  running->signal_group(SIGINT);
  const Ended ended = running->wait();
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(processes_with("87654.321"), IsEmpty());
  EXPECT_TRUE(is_empty_or_missing(box.data() / "work"));
}

TEST(Exec, JobsEndWithARunThatIsKilled) {
  const Sandboxed box(
      "polite: {script: [echo ready, sleep 65432.11]}\n"
      "stubborn: {needs: [], script: [\"trap '' TERM\", echo steady, 'while :; do sleep 65432.12; done']}\n");
  const auto running = box.start({"exec"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  ASSERT_TRUE(running->wait_for("│ steady"));
  running->kill_alone();
  EXPECT_TRUE(processes_end("65432.11"));
  EXPECT_TRUE(processes_end("65432.12"));
  EXPECT_EQ(running->wait().code, 128 + SIGKILL);
}

TEST(Exec, WhatAKilledRunLeftIsRemovedByTheNext) {
  const Sandboxed box("wait: {script: [echo ready, sleep 76543.21]}\nquick: {script: [echo quick]}\n");
  const auto running = box.start({"exec", "wait"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->kill_alone();
  EXPECT_EQ(running->wait().code, 128 + SIGKILL);
  EXPECT_EQ(box.run({"exec", "quick"}).code, 0);
  EXPECT_THAT(processes_with("76543.21"), IsEmpty());
  EXPECT_TRUE(is_empty_or_missing(box.data() / "work"));
}

TEST(Exec, ArtifactsAreKeptAndNamed) {
  const Sandboxed box("pack: {script: [echo content > out.txt], artifacts: {paths: [out.txt]}}\n");
  const Ended ended = box.run({"exec", "--json"});
  const auto json = nlohmann::json::parse(ended.out);
  const std::string path = json["jobs"][0]["artifacts"]["path"];
  EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_TRUE(std::string_view(path).starts_with((box.data() / "runs" / "project-").string())) << path;
  EXPECT_TRUE(path.ends_with("/1/pack/artifacts.zip")) << path;
}

// More layers than one mount is given.
TEST(Exec, AJobTakesTheArtifactsOfManyJobs) {
  const Sandboxed box(
      "make: {stage: build, parallel: 130, script: ['mkdir d; echo x > d/$CI_NODE_INDEX'], artifacts: "
      "{paths: [d]}}\n"
      "count: {stage: test, script: ['ls d | wc -l']}\n");
  const Ended ended = box.run({"exec"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("│ 130\n"));
}

TEST(Exec, TheWholeLogOfAFailureIsKeptMasked) {
  const Sandboxed box("a/b: {script: ['seq -f \"line %g $TOKEN\" 100', exit 1]}\ngood: {script: [echo x]}\n");
  const Ended ended = box.run({"exec", "--secret", "TOKEN=correcthorse"});
  EXPECT_EQ(ended.code, 1);
  const std::string_view before = "  whole log of 'a/b': ";
  const std::size_t at = ended.out.find(before);
  ASSERT_NE(at, std::string::npos) << ended.out;
  const std::string path =
      ended.out.substr(at + before.size(), ended.out.find('\n', at) - at - before.size());
  EXPECT_TRUE(path.ends_with("/1/a-b/job.log")) << path;
  const std::string log = read_file(path).value_or("");
  EXPECT_THAT(log, HasSubstr("line 1 [MASKED]\n"));
  EXPECT_THAT(log, HasSubstr("line 100 [MASKED]\n"));
  EXPECT_THAT(ended.out, Not(HasSubstr("log of 'good'")));
}

TEST(Exec, TheNewestRunsAreKept) {
  const Sandboxed box("bad: {script: [exit 1]}\ngood: {script: [echo x]}\n");
  for (int run = 0; run < 12; ++run) EXPECT_EQ(box.run({"exec", "-q"}).code, 1);
  // Leaves nothing, counts as nothing.
  EXPECT_EQ(box.run({"exec", "good"}).code, 0);
  const fs::path project = fs::directory_iterator(box.data() / "runs")->path();
  EXPECT_FALSE(fs::exists(project / "2"));
  for (int run = 3; run <= 12; ++run) EXPECT_TRUE(fs::exists(project / std::to_string(run))) << run;
  EXPECT_FALSE(fs::exists(project / "13"));
}

TEST(Exec, OutputThatIsLostIsNoSuccess) {
  const Sandboxed box(kEcho);
  const Ended full = box.run_bash("runner exec >/dev/full");
  EXPECT_EQ(full.code, 3);
  EXPECT_THAT(full.err, HasSubstr("cannot write to standard output"));
  EXPECT_EQ(box.run_bash("runner exec | head -n 1; exit ${PIPESTATUS[0]}").code, 0);
  // A closed one is /dev/null, and never the next file that is opened.
  EXPECT_EQ(box.run_bash("runner exec >&- 2>&- <&-").code, 0);
}

TEST(Exec, WhatCannotWorkIsSaidBeforeAJobRuns) {
  const Sandboxed box(kEcho);
  const Ended report = box.run({"exec", "--report", "missing/report.json"});
  EXPECT_EQ(report.code, 2);
  EXPECT_EQ(report.out, "");
  EXPECT_THAT(report.err, HasSubstr("cannot write the report 'missing/report.json'"));
  EXPECT_EQ(box.run({"exec", "-C", "missing"}).code, 2);
  const Ended flag = box.run({"exec", "--list=3"});
  EXPECT_EQ(flag.code, 2);
  EXPECT_THAT(flag.err, HasSubstr("option '--list' takes no value"));
}

// The log of one job of the last run.
std::string log_of(const Sandboxed& box, std::size_t job = 0) {
  return report_of(box)["jobs"][job]["log"].get<std::string>();
}

Ended run_and_report(const Sandboxed& box, std::vector<std::string> words = {}) {
  std::vector<std::string> all{"exec", "--report", "../report.json"};
  all.insert(all.end(), words.begin(), words.end());
  return box.run(std::move(all));
}

TEST(Exec, NamedJobsSayWhoseArtifactsTheyMiss) {
  const Sandboxed box(
      "stages: [one, two]\n"
      "a: {stage: one, script: [echo x > x], artifacts: {paths: [x]}}\n"
      "b: {stage: two, script: [cat x || true]}\n");
  EXPECT_THAT(box.run({"exec", "b"}).err,
              HasSubstr("without artifacts of 'a'; with them: runner exec a b\n"));
  EXPECT_EQ(box.run({"exec", "a", "b"}).err, "");
  EXPECT_EQ(box.run({"exec", "a"}).err, "");
}

TEST(Exec, NamedJobsTakeTheArtifactsOfEarlierRunsAndSaySo) {
  const Sandboxed box(
      "stages: [one, two, three]\n"
      "a:\n"
      "  stage: one\n"
      "  script: ['echo made-$WHEN > x', 'echo VERSION=v-$WHEN > a.env']\n"
      "  artifacts: {paths: [x], reports: {dotenv: a.env}}\n"
      "v: {stage: one, script: ['echo ONLY=variable > v.env'], artifacts: {reports: {dotenv: v.env}}}\n"
      "b: {stage: two, script: ['cat x', 'echo \"$VERSION $ONLY\"'], artifacts: {paths: [y]}}\n"
      "c: {stage: three, script: ['cat x', 'test ! -e y']}\n");
  EXPECT_THAT(box.run({"exec", "b", "c"}).err, HasSubstr("without artifacts of 'a', 'v'; with them"));
  EXPECT_EQ(box.run({"exec", "--var", "WHEN=first", "a", "v"}).code, 0);
  const Ended ended = run_and_report(box, {"b", "c"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("artifacts of 'a', 'v' are those of run 2, "));
  EXPECT_THAT(ended.err, HasSubstr(" ago; fresh ones: runner exec a v b c\n"));
  EXPECT_THAT(log_of(box), HasSubstr("\nmade-first\n"));
  EXPECT_THAT(log_of(box), HasSubstr("\nv-first variable\n"));
  EXPECT_THAT(log_of(box), HasSubstr("Artifacts of 'a': those left "));
  EXPECT_THAT(log_of(box), HasSubstr("ago by job 'a' of run 2\n"));
  // The newest ones count.
  EXPECT_EQ(box.run({"exec", "--var", "WHEN=second", "a"}).code, 0);
  run_and_report(box, {"c"});
  EXPECT_THAT(log_of(box), HasSubstr("made-second"));
  // What runs now does not take old ones.
  EXPECT_THAT(box.run({"exec", "a", "c"}).out, HasSubstr("│ made-\n"));
}

TEST(Exec, NamedJobsTakeNothingOfAJobWhoseNewestRunLeftNothing) {
  const Sandboxed box(
      "stages: [one, two]\n"
      "a: {stage: one, script: ['[ -z \"$LEAVE\" ] || echo x > x'], artifacts: {paths: [x]}}\n"
      "b: {stage: two, script: ['test ! -e x']}\n");
  EXPECT_EQ(box.run({"exec", "--var", "LEAVE=yes", "a"}).code, 0);
  EXPECT_EQ(box.run({"exec", "b"}).code, 1);
  EXPECT_EQ(box.run({"exec", "a"}).code, 0);
  EXPECT_EQ(box.run({"exec", "b"}).code, 0);
}

TEST(Exec, AJobWhoseArtifactsAreGoneFailsAndSaysWhatToDo) {
  const Sandboxed box(
      "stages: [one, two]\n"
      "a: {stage: one, script: ['[ -n \"$EMPTY\" ] || echo x > x'], artifacts: {paths: [x]}}\n"
      "b: {stage: two, script: ['echo ran'], retry: 2, dependencies: [a]}\n"
      "c: {stage: two, script: ['test ! -e x'], dependencies: []}\n");
  EXPECT_EQ(box.run({"exec", "a"}).code, 0);
  EXPECT_EQ(box.run({"cache", "gc", "--budget", "1"}).code, 0);
  const Ended ended = run_and_report(box, {"b", "c"});
  EXPECT_EQ(ended.code, 1) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("the artifacts of 'a' are gone: evicted "));
  EXPECT_THAT(ended.err, HasSubstr("; fresh ones: runner exec a b c\n"));
  const auto document = nlohmann::json::parse(box.run({"exec", "--json", "b", "c"}).out);
  const auto& jobs = document["jobs"];
  EXPECT_EQ(jobs[0]["failure_reason"], "missing_dependency_failure") << jobs;
  EXPECT_EQ(jobs[0]["attempts"], 1) << jobs;
  EXPECT_EQ(jobs[1]["status"], "success") << jobs;
  EXPECT_THAT(log_of(box), HasSubstr("the artifacts of 'a' are gone: evicted "));
  EXPECT_THAT(log_of(box), Not(HasSubstr("\nran\n")));
  // A newer run that left nothing is no loss.
  EXPECT_EQ(box.run({"exec", "--var", "EMPTY=1", "a"}).code, 0);
  EXPECT_EQ(box.run({"exec", "b"}).code, 0);
}

TEST(Exec, AStarInTheFilesOfAKeyStopsAtDirectories) {
  const Sandboxed box(
      "job: {script: [mkdir -p store, touch store/n], cache: {key: {files: ['locks/*']}, paths: [store]}}\n");
  box.shell("mkdir -p locks/deep && echo 1 > locks/a && echo 1 > locks/deep/b && git add -A");
  EXPECT_EQ(run_and_report(box).code, 0);
  box.shell("echo 2 > locks/deep/b");
  EXPECT_EQ(run_and_report(box).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr(" found: 1 file, "));
  box.shell("echo 2 > locks/a");
  EXPECT_EQ(run_and_report(box).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("its key has changed: "));
}

TEST(Exec, AnotherProjectHasOtherArtifacts) {
  const Sandboxed box(
      "stages: [one, two]\n"
      "a: {stage: one, script: [echo x > x], artifacts: {paths: [x]}}\n"
      "b: {stage: two, script: ['test ! -e x']}\n");
  EXPECT_EQ(box.run({"exec", "a"}).code, 0);
  box.shell("cp -r . ../copy");
  const Ended ended = box.run({"exec", "-C", "../copy", "b"});
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("without artifacts of 'a'"));
}

TEST(Exec, ASkippedJobNamesWhatFailed) {
  const Sandboxed box("a: {script: [exit 1]}\nb: {script: [x], needs: [a]}\nc: {script: [x], needs: [b]}\n");
  const std::string out = box.run({"exec"}).out;
  EXPECT_THAT(out, HasSubstr("b │ ○ skipped: job 'a' failed"));
  EXPECT_THAT(out, HasSubstr("c │ ○ skipped: a job it needs was skipped"));
}

TEST(Exec, CachesLastFromRunToRun) {
  const Sandboxed box(
      "job: {script: [cat store/n || true, mkdir -p store, echo kept > store/n], cache: {paths: [store]}}\n");
  EXPECT_THAT(box.run({"exec"}).out, Not(HasSubstr("│ kept")));
  EXPECT_THAT(box.run({"exec"}).out, HasSubstr("│ kept"));
}

constexpr const char* kManyFiles =
    "job:\n"
    "  script:\n"
    "    - 'if test -e store/1; then echo warm; fi'\n"
    "    - 'mkdir -p store; for i in $(seq 100); do test -e store/$i || echo $i > store/$i; done'\n"
    "    - 'if test -n \"$CHANGE\"; then echo changed > store/7; rm store/8; ln -s 7 store/8; fi'\n"
    "    - 'if test -n \"$DROP\"; then rm store/100; fi'\n"
    "  cache: {key: many, paths: [store]}\n";

class ExecWays : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(OfWorkspaces, ExecWays, testing::Values("auto", "copy"),
                         [](const auto& way) { return std::string(way.param); });

Sandboxed box_with_workspace(std::string_view pipeline, const char* way) {
  Sandboxed box(pipeline);
  if (std::string_view(way) != "auto") box.environment.push_back("RUNNER_WORKSPACE=" + std::string(way));
  return box;
}

TEST_P(ExecWays, TheSecondRunIsWarmAndSavesWhatChanged) {
  const Sandboxed box = box_with_workspace(kManyFiles, GetParam());
  EXPECT_EQ(run_and_report(box).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("No cache 'many-non_protected': it was never saved\n"));
  EXPECT_THAT(log_of(box), HasSubstr("Cache 'many-non_protected' saved: 100 files, "));
  EXPECT_EQ(run_and_report(box).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("\nwarm\n"));
  EXPECT_THAT(log_of(box), HasSubstr("Cache 'many-non_protected' found: 100 files, "));
  EXPECT_THAT(log_of(box), HasSubstr(" ago by job 'job' of run "));
  EXPECT_THAT(log_of(box), HasSubstr("Cache 'many-non_protected' is up to date"));
  EXPECT_EQ(run_and_report(box, {"--var", "CHANGE=1"}).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("saved: 2 files changed, 0 removed (of 100 files, ")) << log_of(box);
  EXPECT_EQ(run_and_report(box, {"--var", "DROP=1"}).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("saved: 0 files changed, 1 removed (of 99 files, ")) << log_of(box);
}

TEST(Exec, AFallbackKeyIsTakenAndSaidSo) {
  const Sandboxed box(
      "job:\n"
      "  script: ['cat store/n || true', 'mkdir -p store', 'echo kept > store/n']\n"
      "  cache: {key: $WHICH, fallback_keys: [old], paths: [store]}\n");
  EXPECT_EQ(run_and_report(box, {"--var", "WHICH=old"}).code, 0);
  EXPECT_EQ(run_and_report(box, {"--var", "WHICH=new"}).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("No cache 'new-non_protected': "));
  EXPECT_THAT(log_of(box), HasSubstr("Taking 'old-non_protected' instead: 1 file, "));
  EXPECT_THAT(log_of(box), HasSubstr("\nkept\n"));
  EXPECT_THAT(log_of(box), HasSubstr("Cache 'new-non_protected' saved"));
  EXPECT_EQ(run_and_report(box, {"--var", "WHICH=new"}).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("Cache 'new-non_protected' found"));
}

TEST(Exec, AMissSaysWhichFileChanged) {
  const Sandboxed box(
      "job:\n"
      "  script: [mkdir -p store, echo x > store/x]\n"
      "  cache: {key: {files: [deps.lock], prefix: $CI_JOB_NAME}, paths: [store]}\n");
  const auto commit = [&](const char* text) {
    box.write("deps.lock", text);
    box.shell("git add . && git -c user.name=x -c user.email=x@x commit -qm x");
  };
  commit("one\n");
  EXPECT_EQ(run_and_report(box).code, 0);
  commit("two\n");
  EXPECT_EQ(run_and_report(box).code, 0);
  EXPECT_THAT(log_of(box), HasSubstr("its key has changed: deps.lock changed"));
}

TEST(Exec, SecretsAreNotInTheIndexOfTheLayers) {
  const Sandboxed box(
      "job:\n"
      "  script: [mkdir -p d, echo x > d/x, 'echo TOLD=$API_TOKEN > job.env']\n"
      "  cache: {key: 'k-$API_TOKEN', paths: [d, '$API_TOKEN/*']}\n"
      "  artifacts: {paths: [d, '$API_TOKEN'], reports: {dotenv: job.env}}\n");
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(run_and_report(box, {"--secret", "API_TOKEN=verysecretvalue"}).code, 0);
  }
  EXPECT_THAT(log_of(box), HasSubstr("' found: 1 file, "));
  EXPECT_THAT(log_of(box), HasSubstr("'TOLD' holds a secret: it is not kept for later runs"));
  EXPECT_EQ(box.run_bash("grep -rl verysecretvalue '" + (box.data() / "layers").string() + "'").out, "");
  EXPECT_TRUE(fs::exists(box.data() / "layers" / "index.db"));
}

TEST(Exec, WithoutCachesAndArtifactsTheLayersAreNotTouched) {
  const Sandboxed box(kEcho);
  EXPECT_EQ(box.run({"exec"}).code, 0);
  EXPECT_FALSE(fs::exists(box.data() / "layers"));
}

TEST(Exec, RunsAtOnceShareCachesAndArtifacts) {
  const Sandboxed box(
      "make: {stage: build, parallel: 3, script: ['cat store/n || true', 'mkdir -p store', "
      "'echo $CI_NODE_INDEX-$RUN > store/n', 'echo $CI_NODE_INDEX-$RUN > $CI_NODE_INDEX'], "
      "cache: {paths: [store]}, artifacts: {paths: ['$CI_NODE_INDEX']}}\n"
      "take: {stage: test, script: ['test \"$(cat 1 2 3)\" = \"$(printf "
      "\"1-$RUN\\n2-$RUN\\n3-$RUN\")\"']}\n");
  for (int round = 0; round < 3; ++round) {
    const auto first = box.start({"exec", "--var", "RUN=one"});
    const auto second = box.start({"exec", "--var", "RUN=two"});
    const Ended one = first->wait(), two = second->wait();
    EXPECT_EQ(one.code, 0) << one.out << one.err;
    EXPECT_EQ(two.code, 0) << two.out << two.err;
  }
  EXPECT_THAT(box.run({"exec"}).out, testing::ContainsRegex("│ [123]-(one|two)\n"));
}

#ifdef RUNNER_FAILPOINTS
// Killed wherever a save can be: what is seen is whole, and what is left goes.
TEST(Exec, ARunThatIsKilledWhileItSavesLeavesNothingHalfDone) {
  const Sandboxed box(
      "job:\n"
      "  script:\n"
      "    - 'if test -e store; then test \"$(ls store | wc -l)\" = 20; fi'\n"
      "    - 'mkdir -p store out; for i in $(seq 20); do echo $RUN > store/$i; echo $RUN > out/$i; done'\n"
      "  cache: {key: k, paths: [store]}\n"
      "  artifacts: {paths: [out]}\n"
      "take: {stage: deploy, script: ['test \"$(ls out | wc -l)\" = 20']}\n");
  const auto all_is_well = [&](const std::string& where) {
    const Ended ended = box.run({"exec", "--var", "RUN=after-" + where});
    EXPECT_EQ(ended.code, 0) << where << "\n" << ended.out << ended.err;
    const SystemClock clock;
    const auto store = cache::LayerStore::open(box.data() / "layers", clock);
    store->recover();
    store->collect({});
    for (const cache::VerifyProblem& problem : store->verify(true).problems)
      ADD_FAILURE() << where << ": " << problem.path << ": " << problem.what;
    for (const char* name : {"drafts", "trash", "holders"})
      EXPECT_TRUE(is_empty_or_missing(box.data() / "layers" / name)) << where << ": " << name;
    EXPECT_TRUE(is_empty_or_missing(box.data() / "work")) << where;
  };
  all_is_well("nothing");
  std::size_t number = 0;
  for (const std::string point :
       {"layers.draft_made", "layers.draft_ready", "artifacts.chosen", "artifacts.taken", "layers.renamed",
        "layers.commit", "layers.committed", "layers.renamed:2", "layers.commit:2", "layers.committed:2",
        "caches.begun", "caches.moved", "caches.filled", "artifacts.written", "artifacts.published",
        "shelf.linked", "shelf.recorded"}) {
    if (number++ % test::kStride != 0) continue;
    const Ended ended = box.run_bash("RUNNER_FAILPOINT=" + point + " runner exec --var RUN=" + point);
    EXPECT_EQ(ended.code, 128 + SIGKILL) << point;
    all_is_well(point);
  }
}
#endif

// Writing the layers to disk is left to a process that outlives the run.
TEST(Exec, ReadersOfTheOutputSeeItsEndWhileLayersAreWrittenToDisk) {
  const Sandboxed box("job: {script: ['echo $RUN > file'], cache: {paths: [file]}}\n");
  const fs::path layers = box.data() / "layers";
  const auto boot = read_file("/proc/sys/kernel/random/boot_id");
  ASSERT_TRUE(boot);
  ASSERT_EQ(box.run({"exec", "--var", "RUN=0"}).code, 0);
  test::hurry_sync(layers);
  const fs::path done = layers / "sync" / (std::string(trim(*boot)) + ".done");
  ASSERT_TRUE(fs::exists(done));
  // So soon after the first, the next waits for half a minute.
  const Ended ended = box.run_bash("{ runner exec --var RUN=1 2>&1; } | cat");
  EXPECT_EQ(ended.code, 0);
  const auto process = test::sync_process(layers);
  ASSERT_TRUE(process) << "the end came with the process: " << ended.out;
  test::hurry_sync(layers);
}

TEST(Exec, AnUnknownCachePolicyFailsTheJob) {
  const Sandboxed box("job: {script: [echo x], cache: {paths: [d], policy: $P}}\n");
  const Ended ended = run_and_report(box, {"--var", "P=sometimes"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(log_of(box), HasSubstr("unknown cache policy 'sometimes'"));
}

TEST(Exec, ArchivesMayBeTarAndZstd) {
  const Sandboxed box(
      "pack: {script: [echo content > out.txt], artifacts: {paths: [out.txt]}, variables: "
      "{ARTIFACT_COMPRESSION_FORMAT: tarzstd}}\n");
  const auto json = nlohmann::json::parse(box.run({"exec", "--json"}).out);
  const std::string path = json["jobs"][0]["artifacts"]["path"];
  EXPECT_TRUE(path.ends_with("/1/pack/artifacts.tar.zst")) << path;
  EXPECT_EQ(read_file(path).value_or("").substr(0, 4), "\x28\xb5\x2f\xfd");
}

TEST(Lint, IsSilentWhenAllIsWell) {
  const Sandboxed box(kEcho);
  const Ended ended = box.run({"lint"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out + ended.err, "");
  EXPECT_EQ(nlohmann::json::parse(box.run({"lint", "--json"}).out), nlohmann::json::array());
}

TEST(Lint, TellsAllErrors) {
  const Sandboxed box("a: {stage: nowhere, script: [x]}\nb: {script: [x], colour: red}\n");
  const Ended ended = box.run({"lint"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr(".gitlab-ci.yml:1:"));
  EXPECT_THAT(ended.err, HasSubstr(".gitlab-ci.yml:2:"));
  const Ended json = box.run({"lint", "--json"});
  EXPECT_EQ(json.code, 2);
  const auto found = nlohmann::json::parse(json.out);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["severity"], "error");
  EXPECT_EQ(found[0]["file"], ".gitlab-ci.yml");
  EXPECT_EQ(found[0]["line"], 1);
  EXPECT_FALSE(found[0]["id"].get<std::string>().empty());
  EXPECT_EQ(box.run({"lint", "missing.yml"}).code, 2);
}

TEST(Version, IsTold) {
  const Sandboxed box("", false);
  EXPECT_THAT(box.run({"version"}).out, testing::StartsWith("runner "));
  EXPECT_EQ(nlohmann::json::parse(box.run({"version", "--json"}).out)["name"], "runner");
  EXPECT_THAT(box.run({}).out, HasSubstr("Usage: runner COMMAND"));
  EXPECT_EQ(box.run({"frob"}).code, 2);
}

TEST(Completion, ScriptsAreValidAndComplete) {
  const Sandboxed box(kEcho);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ended ended = box.run({"completion", shell});
    EXPECT_EQ(ended.code, 0);
    EXPECT_THAT(ended.out, HasSubstr("explain"));
    EXPECT_THAT(ended.out, HasSubstr("exec --list --quiet"));
  }
  box.write("completion.bash", box.run({"completion", "bash"}).out);
  const std::string binary_dir = program_directory().string();
  box.shell("PATH='" + binary_dir +
            "':$PATH; bash -c 'source completion.bash; COMP_WORDS=(runner exec he); COMP_CWORD=2; "
            "_runner; test \"${COMPREPLY[*]}\" = hello'");
  box.shell(
      "bash -c 'source completion.bash; COMP_WORDS=(runner exec --rep); COMP_CWORD=2; _runner; "
      "test \"${COMPREPLY[*]}\" = --report'");
  box.shell(
      "bash -c 'source completion.bash; COMP_WORDS=(runner cache li); COMP_CWORD=2; _runner; "
      "test \"${COMPREPLY[*]}\" = list; COMP_WORDS=(runner cache gc --dry); COMP_CWORD=3; _runner; "
      "test \"${COMPREPLY[*]}\" = --dry-run'");
}

// What each shell offers, asked of the shell itself.
constexpr const char* kTwoJobs = "build app: {script: [x]}\nother: {script: [x]}\n";

bool have(const Sandboxed& box, const std::string& shell) {
  return box.run_bash("command -v " + shell).code == 0;
}

TEST(Completion, WorksInFish) {
  const Sandboxed box(kTwoJobs);
  if (!have(box, "fish")) GTEST_SKIP() << "fish is not installed";
  const auto offered = [&](const std::string& line) {
    return box.run_bash("fish --no-config -c 'runner completion fish | source; complete -C \"" + line + "\"'")
        .out;
  };
  EXPECT_THAT(offered("runner ex"), testing::StartsWith("exec\t"));
  EXPECT_EQ(offered("runner exec bu"), "build app\n");
  EXPECT_THAT(offered("runner exec --explain o"), testing::StartsWith("other\t"));
  EXPECT_THAT(offered("runner exec --executor s"), testing::StartsWith("shell\t"));
  EXPECT_THAT(offered("runner exec --rep"), testing::StartsWith("--report\t"));
  EXPECT_EQ(offered("runner lint .gitlab-c"), ".gitlab-ci.yml\n");
  EXPECT_THAT(offered("runner ca"), testing::StartsWith("cache\t"));
  EXPECT_THAT(offered("runner cache li"), testing::StartsWith("list\t"));
  EXPECT_THAT(offered("runner cache gc --dry"), testing::StartsWith("--dry-run\t"));
  EXPECT_EQ(offered("runner cache gc li"), "");
}

// zsh completes only what is typed at a terminal: it gets one, and each line, a tab, and a key that prints
// the line as it is then.
constexpr const char* kTypeInZsh = R"(
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D'
zpty -w shell 'source <(runner completion zsh); bindkey "^I" complete-word'
zpty -w shell 'tell() { print -r -- "<$BUFFER>" >>typed; BUFFER= }; zle -N tell; bindkey "^X" tell; : >typed'
while [[ ! -e typed ]]; do zpty -rt shell seen || sleep 0.01; done
for line; do
  zpty -n -w shell $line$'\t\x18'
  while [[ $(wc -l <typed) -lt $((++count)) ]]; do ((count--)); zpty -rt shell seen || sleep 0.01; done
done
zpty -d shell
cat typed
)";

TEST(Completion, WorksInZsh) {
  const Sandboxed box(kTwoJobs);
  if (!have(box, "zsh")) GTEST_SKIP() << "zsh is not installed";
  if (const UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY)); !terminal)
    GTEST_SKIP() << "no pseudo terminals here";
  box.write("type.zsh", kTypeInZsh);
  const Ended ended = box.run_bash(
      "TERM=xterm timeout 60 zsh -f type.zsh 'runner ex' 'runner exec bu' 'runner exec --explain o' "
      "'runner exec --executor sh' 'runner exec --rep' 'runner lint .gitlab-c' 'runner completion z' "
      "'runner cac' 'runner cache li' 'runner cache gc --dry'");
  EXPECT_EQ(ended.out,
            "<runner exec >\n<runner exec build\\ app >\n<runner exec --explain other >\n"
            "<runner exec --executor shell >\n<runner exec --report >\n<runner lint .gitlab-ci.yml >\n"
            "<runner completion zsh >\n<runner cache >\n<runner cache list >\n<runner cache gc --dry-run >\n")
      << ended.err;
}

}  // namespace
}  // namespace runner::cli
