// Commands on hosts by ssh: those that end with their connection, and those that survive it.
#include <future>
#include <thread>

#include "runner/base/text.h"
#include "tests/deployments/targets/ssh_fixture.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct SshCommandsTest : SshTest {
  void SetUp() override {
    SshTest::SetUp();
    if (IsSkipped()) return;
    first = claimed(1, "d1");
    first->prepare(unit(), release("one"), never);
    first->place(unit(), Slot::blue, release("one").id, never);
  }
  CommandResult run(SshTarget& target, const TargetCommand& command, std::stop_token stop = {}) {
    lines.clear();
    return target.run(
        unit(), Slot::blue, command,
        [&](const std::string&, std::string_view line) { lines.emplace_back(line); }, std::move(stop));
  }
  TargetCommand survivor(const std::string& script) const {
    return {"migrate", script, {}, milliseconds(20'000), true};
  }
  fs::path kept() const { return root() / ".runner/commands/d1/migrate"; }
  /// Starts it, and leaves it as soon as it has made the file `begun`, as one who dies does.
  void begin_and_leave(const TargetCommand& command) {
    std::stop_source stop;
    std::thread leaves([&] {
      while (!fs::exists(root() / "begun")) std::this_thread::yield();
      stop.request_stop();
    });
    EXPECT_EQ(error_of([&] { run(*first, command, stop.get_token()); }), "cancelled: cancelled");
    leaves.join();
  }
  std::string waits_for_go() const {
    return "echo one; touch " + (root() / "begun").string() + "; while ! test -e " +
           (root() / "go").string() + "; do sleep 0.05; done; echo two; ";
  }

  std::unique_ptr<SshTarget> first;
  std::vector<std::string> lines;
};

TEST_F(SshCommandsTest, RunInTheReleaseWithItsSurroundings) {
  const std::string id = release("one").id;
  const auto result = run(*first, {"smoke",
                                   "pwd\ncat version\necho \"$RUNNER_SLOT $RUNNER_RELEASE $RUNNER_PORT\"\n"
                                   "echo \"[$TEXT]\" >&2\nprintf 'no end'\nfalse\necho never",
                                   {{"TEXT", "it's\n  $HOME \\ `x` \"y\""}}});
  EXPECT_EQ(result.end, CommandEnd::exited);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_FALSE(result.found_again);
  EXPECT_THAT(lines, ElementsAre((root() / "releases" / id).string(), "one", "blue " + id + " 8001", "[it's",
                                 "  $HOME \\ `x` \"y\"]", "no end"));
  EXPECT_EQ(run(*first, {"x", "exit 255", {}}).exit_code, 255);
  EXPECT_EQ(run(*first, {"x", "kill -9 $$", {}}).exit_code, 137);
  EXPECT_EQ(run(*first, {"x", "echo runner:exit 0; echo runner:exit 0 >&2; exit 3", {}}).exit_code, 3);
  // What it leaves in the background is not waited for.
  EXPECT_EQ(run(*first, {"x", "sleep 600 >/dev/null 2>&1 & echo left", {}}).exit_code, 0);
  EXPECT_THAT(error_of([&] {
                run(*first, {"x", "true", {{"A B", "c"}}});
              }),
              HasSubstr("no variable can be named"));
  EXPECT_THAT(error_of([&] {
                first->run(unit(), Slot::green, {"x", "true", {}}, {}, never);
              }),
              AllOf(HasSubstr("not_found: "), HasSubstr("holds no release")));
}

TEST_F(SshCommandsTest, ShowSecretsInNoListOfProcessesAndOnNoDisk) {
  const std::string secret = "s3cret-" + root().parent_path().parent_path().filename().string();
  for (const bool survives : {false, true}) {
    const auto result =
        run(*first, {survives ? "migrate" : "smoke",
                     "test -n \"$PASSWORD\"; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > " +
                         (root() / "seen").string() + "; true",
                     {{"PASSWORD", secret}},
                     milliseconds(20'000),
                     survives});
    EXPECT_EQ(result.exit_code, 0);
    const std::string seen = read_file(root() / "seen").value_or("");
    EXPECT_THAT(seen, AllOf(HasSubstr("sshd"), Not(HasSubstr(secret))));
    EXPECT_EQ(shell("grep -rl " + secret + " " + root().string()), "");
  }
}

TEST_F(SshCommandsTest, AreKilledAtTheirTimeAndWhenTheyAreToStop) {
  const fs::path writes = root() / "writes";
  const std::string script = "trap '' TERM; touch " + (root() / "begun").string() +
                             "; while :; do echo x >> " + writes.string() + "; sleep 0.02; done";
  // Long enough for the command to begin on a machine with much else to do.
  EXPECT_EQ(run(*first, {"smoke", script, {}, milliseconds(4000)}).end, CommandEnd::timeout);
  ASSERT_TRUE(fs::exists(writes));
  first->claim(unit(), fence_of(1, "d1"), milliseconds(10'000), never);  // its lock is free: it has ended
  auto size = fs::file_size(writes);
  EXPECT_EQ(run(*first, {"x", "sleep 0.2", {}}).exit_code, 0);
  EXPECT_EQ(fs::file_size(writes), size);
  fs::remove(root() / "begun");
  begin_and_leave({"smoke", script, {}});
  first->claim(unit(), fence_of(1, "d1"), milliseconds(10'000), never);
  size = fs::file_size(writes);
  EXPECT_EQ(run(*first, {"x", "sleep 0.2", {}}).exit_code, 0);
  EXPECT_EQ(fs::file_size(writes), size);
}

TEST_F(SshCommandsTest, ThatSurviveAreFoundAgainAndRunOnce) {
  begin_and_leave(survivor(waits_for_go() + "echo ran >> " + (root() / "ran").string() + "; exit 7"));
  first.reset();
  const auto again = claimed(1, "d1");
  auto second = std::async(std::launch::async, [&] { return run(*again, survivor("echo another")); });
  write_file_atomic(root() / "go", "", 0644, false);
  const auto result = second.get();
  EXPECT_TRUE(result.found_again);
  EXPECT_EQ(result.end, CommandEnd::exited);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  // Whoever died after it had read that reads it again.
  EXPECT_EQ(run(*again, survivor("echo another")).exit_code, 7);
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_EQ(read_file(root() / "ran"), "ran\n");
}

TEST_F(SshCommandsTest, ThatSurviveEndAtTheirTime) {
  TargetCommand command = survivor("sleep 600");
  command.timeout = milliseconds(1000);
  EXPECT_EQ(run(*first, command).end, CommandEnd::timeout);
  EXPECT_EQ(run(*first, command).end, CommandEnd::timeout);
}

TEST_F(SshCommandsTest, AreUnknownWhenTheyNeitherLiveNorLeftAnEnd) {
  begin_and_leave(survivor(waits_for_go()));
  // As when the host lost its power.
  shell("kill -9 $(cut -d' ' -f1 " + (kept() / "process").string() + ")");
  const auto again = claimed(1, "d1");
  const auto result = run(*again, survivor("echo another"));
  EXPECT_EQ(result.end, CommandEnd::unknown);
  EXPECT_TRUE(result.found_again);
  EXPECT_THAT(lines, ElementsAre("one"));
  // Another process that has its number by now is not taken for it.
  const auto processes = read_file(kept() / "process").value_or("");
  const std::string boot(split_words(processes).back());
  write_file_atomic(kept() / "process", "1 12345 " + boot + "\n", 0600, false);
  EXPECT_EQ(run(*again, survivor("echo another")).end, CommandEnd::unknown);
  // One that had not begun is begun.
  fs::remove_all(kept());
  make_directories(kept());
  write_file_atomic(kept() / "script", "echo cut off", 0600, false);
  EXPECT_EQ(run(*again, survivor("echo begun")).end, CommandEnd::exited);
  EXPECT_THAT(lines, ElementsAre("begun"));
}

TEST_F(SshCommandsTest, ThatSurviveAreWaitedForByTheNextDeployment) {
  begin_and_leave(survivor(waits_for_go()));
  const auto second = target();
  EXPECT_THAT(error_of([&] { second->claim(unit(), fence_of(2, "d2"), milliseconds(300), never); }),
              AllOf(HasSubstr("timeout: "), HasSubstr("deployment d1 still runs 'migrate'")));
  // From here on the first may begin nothing more, not even that.
  EXPECT_THAT(error_of([&] { run(*first, survivor("echo another")); }), HasSubstr("stale: "));
  write_file_atomic(root() / "go", "", 0644, false);
  second->claim(unit(), fence_of(2, "d2"), milliseconds(20'000), never);
  EXPECT_FALSE(fs::exists(kept()));
}

TEST_F(SshCommandsTest, KeepLongOutputInPieces) {
  const auto result = run(*first, {"x", "head -c 200000 /dev/zero | tr '\\0' a; echo; seq 5000", {}});
  EXPECT_EQ(result.exit_code, 0);
  std::size_t bytes = 0;
  for (const std::string& line : lines) bytes += line.size();
  EXPECT_GT(bytes, 200'000U);
  EXPECT_EQ(lines.back(), "5000");
}

}  // namespace
}  // namespace runner::deployments
