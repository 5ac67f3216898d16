// Jobs that do their worst, run by the built program: the right status, the user's files as they were, and
// nothing left.

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "cache/workspace.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::map<std::string, nlohmann::json> jobs_of(const Sandboxed& box) {
  std::map<std::string, nlohmann::json> jobs;
  const auto report = nlohmann::json::parse(box.read("report.json"));
  for (const auto& job : report["jobs"]) jobs[job["name"]] = job;
  return jobs;
}

/// Mounts of this machine and directories of runs that a sandbox left; "" when none.
std::string left_by(const Sandboxed& box) {
  std::string left;
  const std::string root = box.project().parent_path().string();
  const std::string mounts = read_file("/proc/self/mountinfo").value_or("");
  for (const std::string_view line : split(mounts, '\n')) {
    if (line.find(root) != std::string_view::npos) left += "mount " + std::string(line) + "\n";
  }
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(box.data() / "work", none)) {
    left += "directory " + entry.path().string() + "\n";
  }
  return left;
}

TEST(HostileJob, IgnoresTerminationAndIsKilled) {
  const Sandboxed box(
      "stubborn: {script: [\"trap '' TERM INT HUP\", echo ready, 'while :; do sleep 54321.11; done']}\n"
      "good: {stage: build, script: [echo good]}\n");
  const auto running = box.start({"exec", "--report", "../report.json"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->signal_group(SIGTERM);
  ASSERT_TRUE(running->wait_for("once more kills them"));
  running->signal_group(SIGTERM);
  EXPECT_EQ(running->wait().code, 1);
  EXPECT_EQ(jobs_of(box)["stubborn"]["status"], "canceled");
  EXPECT_EQ(jobs_of(box)["good"]["status"], "success");
  EXPECT_THAT(processes_with("54321.11"), IsEmpty());
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, HidesAProcessThatHoldsItsOutput) {
  const Sandboxed box(
      "hider:\n"
      "  script:\n"
      "    - (setsid sh -c 'trap \"\" TERM; (sleep 54321.21 &); sleep 54321.22' &)\n"
      "    - (setsid sleep 54321.23 >/dev/null 2>&1 &)\n"
      "    - exit 3\n");
  EXPECT_EQ(box.run({"exec", "--report", "../report.json"}).code, 1);
  EXPECT_EQ(jobs_of(box)["hider"]["exit_code"], 3);
  EXPECT_THAT(processes_with("54321.2"), IsEmpty());
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, RemovesItsWorkspaceByEveryName) {
  const Sandboxed box("placeholder: {script: [echo]}\n");
  // In a copy the user's tree keeps its own name, and a job that writes there by that name is not held back.
  const TempDir scratch("mounts-");
  const cache::MountProbe probe = cache::probe_mount_mode(scratch.path());
  if (probe.mode == cache::MountMode::copy) GTEST_SKIP() << "needs overlay mounts: " << probe.why;
  box.write("tracked", "original\n");
  box.write("deep/er/file", "original\n");
  const std::string project = fs::canonical(box.project()).string();
  box.write(
      ".gitlab-ci.yml",
      "variable: {script: ['rm -rf \"$CI_PROJECT_DIR\" || true', 'test ! -e tracked']}\n"
      "absolute: {script: [cd /, \"rm -rf '" +
          project + "' || true\", \"test ! -e '" + project +
          "/tracked'\"]}\n"
          "overwrites: {script: [\"echo bad > '" +
          project + "/tracked'\", \"rm '" + project + "/deep/er/file'\", \"mv '" + project + "/deep' '" +
          project +
          "/moved'\"]}\n"
          "fails: {script: ['rm -rf \"$CI_PROJECT_DIR\" || true', exit 5], after_script: [pwd]}\n"
          "keeps: {script: ['rm -rf ./* .git'], artifacts: {paths: [tracked]}, cache: {paths: [deep]}}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 1) << ended.out;
  auto jobs = jobs_of(box);
  for (const char* name : {"variable", "absolute", "overwrites", "keeps"})
    EXPECT_EQ(jobs[name]["status"], "success") << jobs[name];
  EXPECT_EQ(jobs["fails"]["exit_code"], 5);
  EXPECT_EQ(box.read("project/tracked"), "original\n");
  EXPECT_EQ(box.read("project/deep/er/file"), "original\n");
  EXPECT_TRUE(fs::exists(box.project() / ".git" / "HEAD"));
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, KillsItsSupervisor) {
  const Sandboxed box(
      "killer: {script: [sleep 54321.31 &, 'kill -9 $PPID', sleep 54321.32]}\n"
      "next: {stage: deploy, when: always, script: [echo fine]}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(jobs_of(box)["killer"]["status"], "failed");
  EXPECT_EQ(jobs_of(box)["next"]["status"], "success");
  EXPECT_THAT(processes_with("54321.3"), IsEmpty());
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, KillsTheLauncherAndTheRunEndsAllTheSame) {
  // The launcher is the parent of the job's supervisor.
  const Sandboxed box(
      "killer: {stage: build, script: ['kill -9 \"$(cut -d\" \" -f4 /proc/$PPID/stat)\"', echo still here]}\n"
      "next: {script: [echo fine]}\n");
  const Ended ended = box.run({"exec", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 1) << ended.out;
  EXPECT_EQ(jobs_of(box)["killer"]["status"], "success") << ended.out;
  EXPECT_EQ(jobs_of(box)["next"]["status"], "failed");
  EXPECT_THAT(ended.out, HasSubstr("the launcher process is gone"));
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, ForksWithoutEndUntilItIsCanceled) {
  const Sandboxed box(
      "bomb:\n"
      "  script:\n"
      "    - ulimit -u 400 || true\n"
      "    - breed() { n=$1; [ \"$n\" -gt 0 ] || exec sleep 54321.41; breed $((n - 1)) & breed $((n - 1)) & "
      "wait; }\n"
      "    - (breed 6) &\n"
      "    - echo ready\n"
      "    - while :; do (sleep 54321.42 &) 2>/dev/null; sleep 0.01; done\n");
  const auto running = box.start({"exec", "--report", "../report.json"});
  ASSERT_TRUE(running->wait_for("│ ready"));
  running->signal_group(SIGINT);
  EXPECT_EQ(running->wait().code, 1);
  EXPECT_EQ(jobs_of(box)["bomb"]["status"], "canceled");
  EXPECT_THAT(processes_with("54321.4"), IsEmpty());
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, PrintsASecretInPieces) {
  Sandboxed box(
      "leak:\n"
      "  script:\n"
      "    - for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do printf '%s' \"${T:0:$i}\"; sleep 0.01; "
      "printf '%s\\n' \"${T:$i}\"; done\n"
      "    - for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do printf '%s' \"${T:$i:1}\"; sleep 0.001; done; "
      "echo\n"
      "    - printf '%s' \"${T:0:7}\"; printf '%s' \"${T:7}\" >&2; echo\n");
  box.environment = {"T=s3cr3t-and-more"};
  const Ended ended = box.run({"exec", "--secret", "T", "--report", "../report.json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out + ended.err + box.read("report.json"), Not(HasSubstr("s3cr3t-and-more")));
  const std::string log = jobs_of(box)["leak"]["log"];
  std::size_t masks = 0;
  for (std::size_t at = log.find("[MASKED]"); at != std::string::npos; at = log.find("[MASKED]", at + 1))
    ++masks;
  EXPECT_EQ(masks, 17U) << log;
}

TEST(HostileJob, FillsItsDisk) {
  const Sandboxed box(
      "stages: [first, second]\n"
      "file: {stage: first, script: ['head -c 60M /dev/zero > big']}\n"
      "output: {stage: first, script: ['(yes some long line of a log that fills the disk || true) | head -c "
      "60M']}\n"
      "other: {stage: first, script: [echo fine]}\n"
      "later: {stage: second, when: always, script: ['head -c 4M /dev/zero > small', 'ls small']}\n");
  // A disk of its own, in a mount namespace of its own: nothing to clean up, whatever happens.
  const std::string script =
      "mkdir -p \"$RUNNER_DATA\" && mount -t tmpfs -o size=16M none \"$RUNNER_DATA\" || exit 77; "
      "runner exec -q -j 1 --report ../report.json; code=$?; ls -A \"$RUNNER_DATA/work\" > ../left; exit "
      "$code";
  std::vector<std::string> words{"/usr/bin/unshare", "-m", "sh", "-c", script};
  if (::geteuid() != 0) words.insert(words.begin() + 1, "-r");
  if (!fs::exists(words.front())) GTEST_SKIP() << "no unshare here";
  const auto running = box.start_program(words);
  const Ended ended = running->wait();
  if (ended.code == 77 || ended.err.starts_with("unshare: "))
    GTEST_SKIP() << "cannot mount a small disk: " << ended.err;
  EXPECT_EQ(ended.code, 1) << ended.err;
  auto jobs = jobs_of(box);
  EXPECT_EQ(jobs["file"]["status"], "failed");
  EXPECT_THAT(jobs["file"]["log"].get<std::string>(), HasSubstr("No space left on device"));
  EXPECT_EQ(jobs["output"]["status"], "failed");
  EXPECT_THAT(ended.out, HasSubstr("cannot write the log: "));
  EXPECT_EQ(jobs["other"]["status"], "success");
  EXPECT_EQ(jobs["later"]["status"], "success") << jobs["later"];
  EXPECT_EQ(box.read("left"), "");
  EXPECT_EQ(left_by(box), "");
}

TEST(HostileJob, ThatClosesACachedDirectoryFindsItAgain) {
  const Sandboxed box(
      "job:\n"
      "  script: [mkdir -p c/d, chmod 700 c/d, echo x >> c/d/f, 'echo lines $(wc -l < c/d/f)', chmod 000 "
      "c/d]\n"
      "  cache: {key: k, paths: [c]}\n");
  // Root without its right to read everything is what an ordinary user is to their own files.
  const std::string weak = ::geteuid() == 0 ? "setpriv --bounding-set -dac_override,-dac_read_search " : "";
  for (const char* lines : {"lines 1", "lines 2", "lines 3"}) {
    const Ended ended = box.run_bash(weak + "runner exec");
    EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
    EXPECT_THAT(ended.out, HasSubstr(lines));
    EXPECT_THAT(ended.out, Not(HasSubstr("cannot be saved")));
  }
  EXPECT_EQ(left_by(box), "");
}

}  // namespace
}  // namespace runner::cli
