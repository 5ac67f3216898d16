// Programs that deployments start and follow.
#include "deployments/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

struct Told {
  ProgramEnd end;
  std::vector<std::string> output, errors;
};

Told told(ProgramRequest request, std::stop_token stop = {}) {
  Told told;
  request.on_output = [&](std::string_view line) { told.output.emplace_back(line); };
  request.on_errors = [&](std::string_view line) { told.errors.emplace_back(line); };
  told.end = run_program(request, stop);
  return told;
}

ProgramRequest shell(const std::string& script) {
  ProgramRequest request;
  request.argv = {"sh", "-c", script};
  return request;
}

TEST(ProgramTest, TellsLinesAndHowItEnded) {
  const Told one = told(shell("echo a; echo b >&2; echo; printf c; exit 7"));
  EXPECT_THAT(one.output, ElementsAre("a", "", "c"));
  EXPECT_THAT(one.errors, ElementsAre("b"));
  EXPECT_EQ(one.end.code, 7);
  EXPECT_EQ(told(shell("kill -TERM $$")).end.code, 128 + 15);
}

TEST(ProgramTest, HasTheSurroundingsThatItWasGiven) {
  const TempDir top("deploy-");
  ProgramRequest request = shell("pwd; echo \"$A $HOME\"; ls /proc/self/fd | wc -w");
  request.directory = top.path();
  request.environment = {{"A", "x y"}, {"PATH", "/usr/bin:/bin"}};
  EXPECT_THAT(told(request).output, ElementsAre(top.path().string(), "x y ", "4"));  // ls opened one itself
}

TEST(ProgramTest, GetsItsInputWhichStaysOpen) {
  ProgramRequest request = shell("head -c 1000000 | wc -c; read -r x; echo end");
  int pieces = 0;
  request.input = [&](std::string& piece) {
    piece.assign(100'000, 'x');
    return ++pieces <= 10;
  };
  request.timeout = milliseconds(300);
  const Told one = told(request);
  EXPECT_THAT(one.output, ElementsAre("1000000"));
  EXPECT_TRUE(one.end.timed_out);  // as it waits for more
  // One who reads nothing is no failure.
  pieces = -100;
  request.argv = {"true"};
  EXPECT_EQ(told(request).end.code, 0);
  request.input = [](std::string&) -> bool { throw Error(ErrorCode::corrupt, "no more"); };
  request.argv = {"cat"};
  EXPECT_THROW(told(request), Error);
}

TEST(ProgramTest, EndsWithItsGroupAtItsTimeAndWhenItIsToStop) {
  const TempDir top("deploy-");
  const std::string file = (top.path() / "x").string();
  ProgramRequest request =
      shell("trap '' TERM; (while :; do echo x >> " + file + "; sleep 0.02; done) & wait");
  request.timeout = milliseconds(200);
  EXPECT_TRUE(told(request).end.timed_out);
  const auto size = std::filesystem::file_size(file);
  request.timeout = milliseconds(0);
  std::stop_source stop;
  std::thread stops([&] {
    while (std::filesystem::file_size(file) == size) std::this_thread::yield();
    stop.request_stop();
  });
  try {
    told(request, stop.get_token());
    ADD_FAILURE() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  stops.join();
}

TEST(ProgramTest, DoesNotWaitForWhatItLeavesAndKeepsLongLinesInPieces) {
  EXPECT_THAT(told(shell("sleep 3 & echo left $! | cut -c1-4")).output, ElementsAre("left"));
  const Told one = told(shell("head -c 300000 /dev/zero | tr '\\0' a"));
  std::size_t bytes = 0;
  for (const std::string& line : one.output) bytes += line.size();
  EXPECT_EQ(bytes, 300'000U);
  EXPECT_GT(one.output.size(), 2U);
}

TEST(ProgramTest, SaysWhenThereIsNone) {
  ProgramRequest request;
  request.argv = {"no-such-program-here"};
  try {
    told(request);
    ADD_FAILURE() << "it ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_STREQ(error.what(), "cannot start 'no-such-program-here': No such file or directory");
  }
}

}  // namespace
}  // namespace runner::deployments
