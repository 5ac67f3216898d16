// `runner exec --shell-on-failure`, with a person at a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"
#include "tests/support/source_dir.h"

namespace runner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPipeline =
    "variables: {WORD: hello}\n"
    "job:\n"
    "  script: ['echo made > file', 'exit 3']\n"
    "  after_script: ['echo \"after $CI_JOB_STATUS, $(cat file)\"']\n";

/// `played`: what is expected on the screen and what is typed then, in turns.
Ended run_on_terminal(const Sandboxed& box, const std::vector<std::string>& played,
                      const std::vector<std::string>& words = {}) {
  std::vector<std::string> command = {"/usr/bin/env", "python3",
                                      (test::source_dir() / "tests/support/on_terminal.py").native()};
  command.insert(command.end(), played.begin(), played.end());
  command.insert(command.end(), {"--", "runner", "exec", "--shell-on-failure"});
  command.insert(command.end(), words.begin(), words.end());
  return box.start_program(command)->wait();
}

TEST(FailureShell, IsWhereTheScriptFailedAndTheRunGoesOnAfterIt) {
  Sandboxed box(kPipeline);
  box.environment = {"TERM=dumb"};
  const Ended ended = run_on_terminal(
      box, {"Ctrl-D leaves it", "echo \"$WORD $CI_JOB_NAME\" $(cat file); test -t 0 && echo more > file\n",
            "hello job made", "exit 9\n", "going on", ""});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("job 'job' failed: exit code 3"), HasSubstr("exit code 3")));
  EXPECT_THAT(ended.out, HasSubstr("after failed, more")) << "what the person did is there, on a terminal";
}

TEST(FailureShell, KeysAreThoseOfTheShell) {
  Sandboxed box(kPipeline);
  box.environment = {"TERM=dumb"};
  const Ended ended =
      // The shell reads keys when it shows its prompt; what is typed before, the terminal takes for lines.
      run_on_terminal(box,
                      {"Ctrl-D leaves it", "PS1=pro$((1))mpt:\n",
                       "pro1mpt:", "sh -c 'echo be$((1))gun; exec sleep 1000'\n", "be1gun", "\x03",
                       "pro1mpt:", "echo code=$?.\n", "code=130.", "", "pro1mpt:", "\x04", "going on", ""});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, Not(HasSubstr("stopping all jobs"))) << "Ctrl-C is for what runs in the shell";
}

TEST(FailureShell, EndsWhenTheRunIsToEnd) {
  Sandboxed box(kPipeline);
  const Ended ended = run_on_terminal(
      box, {"Ctrl-D leaves it", "sh -c 'echo be$((1))gun; exec sleep 1000'\n", "be1gun", "signal:TERM"});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("going on"));
}

TEST(FailureShell, IsNotOpenedWhenNothingFails) {
  const Sandboxed box("job: {script: ['echo fine']}\n");
  const Ended ended = run_on_terminal(box, {});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, Not(HasSubstr("Ctrl-D")));
}

TEST(FailureShell, IsRefusedWithoutATerminal) {
  const Sandboxed box(kPipeline);
  const Ended ended = box.run({"exec", "--shell-on-failure"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("--shell-on-failure needs a terminal: standard "),
                               HasSubstr("is no terminal"), HasSubstr("leave it out")));
  const Ended json = box.run({"exec", "--shell-on-failure", "--json"});
  EXPECT_EQ(json.code, 2);
  EXPECT_THAT(json.err, HasSubstr("exclude each other"));
}

}  // namespace
}  // namespace runner::cli
