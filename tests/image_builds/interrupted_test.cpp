// Builds that are cancelled, killed, or lose their engine.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <map>

#include "runner/base/text.h"
#include "tests/image_builds/build_fixture.h"

namespace runner::builds::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kSecret = "tr0ub4dor-and-3";
constexpr const char* kArgument = "an-argument-nobody-lists";

class InterruptedBuilds : public BuildFixture {
 protected:
  /// A build that says "begun" and then waits for minutes.
  BuildRequest endless(const std::string& name) {
    put("Dockerfile",
        "FROM box\nARG WORD\nRUN --mount=type=secret,id=token test -s /run/secrets/token && echo beg''un && "
        "sleep 300\n");
    BuildRequest told = request(name);
    told.secrets = {{"token", kSecret}};
    told.args = {{"WORD", kArgument}};
    return told;
  }
  /// Command lines of all processes that have the text, by process.
  static std::map<pid_t, std::string> lists(const std::string& text) {
    std::map<pid_t, std::string> found;
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      const auto pid = parse_integer(process.path().filename().native());
      std::ifstream file(process.path() / "cmdline", std::ios::binary);
      const std::string line(std::istreambuf_iterator<char>(file), {});
      if (pid && line.find(text) != std::string::npos) found[static_cast<pid_t>(*pid)] = line;
    }
    return found;
  }
  /// Who was killed with another is on the way out when that one has gone: until it has, too.
  static bool ends_soon(pid_t pid) {
    constexpr int kSoon = 10'000;
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd watched{process.get(), POLLIN, 0};
    return !process || ::poll(&watched, 1, kSoon) == 1;
  }
  std::string files_with(const std::string& text, const std::filesystem::path& where) const {
    return output_of("grep -rlF " + shell_quote(text) + " " + shell_quote(where.native()) + " 2>/dev/null");
  }
};

TEST_P(InterruptedBuilds, ACancelEndsTheBuildAtOnce) {
  const auto running = start(endless("cancelled"));
  ASSERT_TRUE(running->wait_for("begun\n")) << running->wait().log;
  running->signal(SIGTERM);
  const Ended ended = running->wait();
  EXPECT_EQ(ended.code, 143) << ended.log;
  ASSERT_TRUE(ended.verdict);
  EXPECT_EQ(ended.verdict->exit, BuildExit::cancelled);
  // What the engine made of the part that ran is not taken for the image, nor for a layer of it.
  const auto again = start(endless("cancelled"));
  EXPECT_TRUE(again->wait_for("begun\n")) << again->wait().log;
  again->signal(SIGTERM);
  EXPECT_EQ(again->wait().code, 143);
}

TEST_P(InterruptedBuilds, NoSecretLiesAboutAndAKilledBuildLeavesNone) {
  const auto running = start(endless("killed"));
  ASSERT_TRUE(running->wait_for("begun\n")) << running->wait().log;
  for (const char* text : {kSecret, kArgument, kPassword}) {
    EXPECT_THAT(lists(std::string(text)), IsEmpty()) << text;
    EXPECT_THAT(files_with(text, running->dir()), IsEmpty()) << text;
    EXPECT_THAT(files_with(text, workspace()), IsEmpty()) << text;
  }
  running->signal(SIGKILL);
  running->wait();
  for (const auto& [pid, line] : lists(running->dir().native()))
    EXPECT_TRUE(ends_soon(pid)) << "a client goes on building: " << line;
  EXPECT_THAT(lists(running->dir().native()), IsEmpty());
  put("Dockerfile", "FROM box\nRUN echo fine\n");
  BuildRequest next = request("killed");
  next.push = false;
  const Ended ended = run(next);
  EXPECT_EQ(ended.code, 0) << ended.log;
}

TEST_P(InterruptedBuilds, AnEngineThatGoesAwayIsTheMachinesFault) {
  const auto running = start(endless("lost"));
  ASSERT_TRUE(running->wait_for("begun\n")) << running->wait().log;
  engine().kill();
  const Ended ended = running->wait();
  engine().start();
  EXPECT_EQ(ended.code, 3) << ended.log;
  ASSERT_TRUE(ended.verdict);
  EXPECT_EQ(ended.verdict->exit, BuildExit::machinery);
  EXPECT_THAT(ended.verdict->why, HasSubstr("the engine went away while it built"));
}

TEST_P(InterruptedBuilds, APushThatWasKilledIsTakenUpByTheNextRun) {
  put("Dockerfile", "FROM box\nRUN head -c 20000000 /dev/urandom > /large\n");
  const auto running = start(request("pushed"));
  ASSERT_TRUE(running->wait_for("Pushing "));
  running->signal(SIGKILL);
  running->wait();
  const Ended ended = run(request("pushed"));
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_EQ(digest_of(host() + "/pushed:main"), ended.output("IMAGE_DIGEST"));
  EXPECT_THAT(ended.log, Not(HasSubstr("Built "))) << "what was built is not built again";
}

WITH_BOTH_BUILDERS(InterruptedBuilds);

}  // namespace
}  // namespace runner::builds::testing
