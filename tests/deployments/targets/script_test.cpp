// A target by commands, and the fence that lies in a directory.
#include "deployments/targets/script.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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
using ::testing::StartsWith;

const std::string kOne = "aaaaaaaaaaaa", kTwo = "bbbbbbbbbbbb";

struct ScriptTest : ::testing::Test {
  ScriptOptions options() const {
    const std::string says =
        " $RUNNER_FENCE $RUNNER_DEPLOYMENT_ID $RUNNER_BASE_RELEASE/$RUNNER_CANDIDATE_RELEASE $RUNNER_WEIGHT "
        ">> " +
        log().string();
    ScriptOptions options;
    options.directory = top.path() / "state";
    options.prepare = "echo prepare" + says;
    options.activate = "echo activate" + says;
    options.verify = "echo verify >> " + log().string();
    options.rollback = "echo rollback" + says;
    options.between_tries = milliseconds(10);
    return options;
  }
  std::unique_ptr<ScriptTarget> claimed(std::uint64_t token, const std::string& deployment) const {
    auto one = std::make_unique<ScriptTarget>(options());
    one->claim("script", fence_of(token, deployment), milliseconds(5000), {});
    for (const std::string& id : {kOne, kTwo}) one->prepare("script", {id, "", {}, {}}, {});
    return one;
  }
  fs::path log() const { return top.path() / "log"; }
  std::vector<std::string> logged() const {
    std::vector<std::string> lines;
    const std::string text = read_file(log()).value_or("");
    for (const std::string_view line : split(text, '\n'))
      if (!line.empty() && line.rfind("prepare", 0) != 0) lines.emplace_back(line);
    fs::remove(log());
    return lines;
  }

  TempDir top{"deploy-"};
};

TEST_F(ScriptTest, ASlotMayHoldNothingAgain) {
  const auto one = claimed(1, "d1");
  one->place("script", Slot::single, kOne, {});
  one->place("script", Slot::single, "", {});
  EXPECT_EQ(one->observe("script", {}).at(Slot::single), SlotState{});
  EXPECT_THAT(error_of([&] { one->start("script", Slot::single, {}); }), HasSubstr("holds no release"));
}

TEST_F(ScriptTest, ActivatesVerifiesAndRollsBack) {
  const auto target = claimed(4, "d1");
  target->place("script", Slot::single, kOne, {});
  target->start("script", Slot::single, {});
  target->start("script", Slot::single, {});
  EXPECT_THAT(logged(), ElementsAre("activate 4 d1 /" + kOne + " 100", "verify"));
  target->place("script", Slot::single, kTwo, {});
  EXPECT_EQ(target->observe("script", {}).at(Slot::single), (SlotState{kTwo, false}));
  target->start("script", Slot::single, {});
  EXPECT_EQ(target->observe("script", {}).at(Slot::single), (SlotState{kTwo, true}));
  EXPECT_THAT(logged(), ElementsAre("activate 4 d1 " + kOne + "/" + kTwo + " 100", "verify"));
  target->place("script", Slot::single, kOne, {});
  target->start("script", Slot::single, {});
  EXPECT_THAT(logged(), ElementsAre("rollback 4 d1 " + kOne + "/" + kTwo + " 0", "verify"));
  // To the next deployment that is no way back.
  const auto later = claimed(5, "d2");
  later->place("script", Slot::single, kTwo, {});
  later->start("script", Slot::single, {});
  EXPECT_THAT(logged(), ElementsAre("activate 5 d2 " + kOne + "/" + kTwo + " 100", "verify"));
  target->leave("script");
  target->claim("script", fence_of(5, "d2"), milliseconds(500), {});
  EXPECT_THAT(error_of([&] { target->place("script", Slot::blue, "cccccccccccc", {}); }),
              StartsWith("not_found: "));
  EXPECT_TRUE(target->is_prepared("script", kTwo, {}));
  target->clean("script", 0, {kTwo}, {});
  EXPECT_TRUE(target->is_prepared("script", kTwo, {}));
  EXPECT_TRUE(target->is_prepared("script", kOne, {}));
}

TEST_F(ScriptTest, RollsBackWhatWasBegunAndFailed) {
  // `verify` fails for the second release: by then `activate` has had its effect.
  ScriptOptions sick = options();
  sick.verify += "; test $RUNNER_WEIGHT = 0 -o $RUNNER_CANDIDATE_RELEASE = " + kOne;
  ScriptTarget target(sick);
  target.claim("script", fence_of(4, "d1"), milliseconds(5000), {});
  for (const std::string& id : {kOne, kTwo}) target.prepare("script", {id, "", {}, {}}, {});
  target.place("script", Slot::single, kOne, {});
  target.start("script", Slot::single, {});
  target.place("script", Slot::single, kTwo, {});
  EXPECT_THAT(error_of([&] { target.start("script", Slot::single, {}); }),
              HasSubstr("'verify' ended with 1"));
  logged();
  target.place("script", Slot::single, kOne, {});
  // Another process goes on, and finds what was begun.
  const auto next = claimed(5, "d1");
  next->start("script", Slot::single, {});
  EXPECT_THAT(logged(), ElementsAre("rollback 5 d1 " + kOne + "/" + kTwo + " 0", "verify"));
  next->start("script", Slot::single, {});
  EXPECT_THAT(logged(), ElementsAre()) << "it is done";
  EXPECT_EQ(next->observe("script", {}).at(Slot::single), (SlotState{kOne, true}));
}

TEST_F(ScriptTest, TakesTrafficBackThatMayHaveMoved) {
  ScriptOptions sick = options();
  sick.verify += "; test $RUNNER_WEIGHT != 10";
  ScriptTarget target(sick);
  target.claim("script", fence_of(1, "d1"), milliseconds(5000), {});
  for (const std::string& id : {kOne, kTwo}) target.prepare("script", {id, "", {}, {}}, {});
  ScriptBalancer balancer(target);
  const Place blue{"script", Slot::blue}, green{"script", Slot::green};
  target.place("script", Slot::blue, kOne, {});
  target.start("script", Slot::blue, {});
  balancer.set({{blue, {Admission::ready, 100}}, {green, {Admission::out, 0}}}, {});
  target.place("script", Slot::green, kTwo, {});
  target.start("script", Slot::green, {});
  EXPECT_THAT(error_of([&] {
                balancer.set({{blue, {Admission::ready, 90}}, {green, {Admission::ready, 10}}}, {});
              }),
              HasSubstr("'verify' ended with 1"));
  logged();
  balancer.set({{blue, {Admission::ready, 100}}, {green, {Admission::out, 0}}}, {});
  EXPECT_THAT(logged(), ElementsAre("rollback 1 d1 " + kOne + "/" + kTwo + " 0", "verify"));
}

TEST_F(ScriptTest, MovesTrafficByTheWeightsOfItsTwin) {
  const auto target = claimed(1, "d1");
  ScriptBalancer balancer(*target);
  const Place blue{"script", Slot::blue}, green{"script", Slot::green};
  target->place("script", Slot::blue, kOne, {});
  target->start("script", Slot::blue, {});
  balancer.set({{blue, {Admission::ready, 100}}, {green, {Admission::out, 0}}}, {});
  EXPECT_THAT(logged(), ElementsAre("activate 1 d1 /" + kOne + " 100", "verify"));
  target->place("script", Slot::green, kTwo, {});
  target->start("script", Slot::green, {});
  EXPECT_THAT(logged(), ElementsAre());
  for (const unsigned weight : {10U, 10U, 100U})
    balancer.set({{blue, {Admission::ready, 100 - weight}}, {green, {Admission::ready, weight}}}, {});
  EXPECT_THAT(logged(), ElementsAre("activate 1 d1 " + kOne + "/" + kTwo + " 10", "verify",
                                    "activate 1 d1 " + kOne + "/" + kTwo + " 100", "verify"));
  EXPECT_EQ(balancer.observe({green}, {}).at(green), (ServerState{Admission::ready, 100}));
  balancer.set({{blue, {Admission::ready, 100}}, {green, {Admission::drain, 0}}}, {});
  EXPECT_THAT(logged(), ElementsAre("rollback 1 d1 " + kOne + "/" + kTwo + " 0", "verify"));
  EXPECT_TRUE(balancer.wait_drained({green}, milliseconds(0), {}));
}

TEST_F(ScriptTest, TriesAgainWhatIsNotKnownAndSaysWhatFailed) {
  ScriptOptions again = options();
  again.activate =
      "echo x >> " + log().string() + "; test $(wc -l < " + log().string() + ") -ge 3 || exit 75";
  again.verify = "echo page says 500 >&2; exit 4";
  ScriptTarget target(again);
  target.claim("script", fence_of(1, "d1"), milliseconds(500), {});
  target.prepare("script", {kOne, "", {}, {}}, {});
  fs::remove(log());
  target.place("script", Slot::single, kOne, {});
  EXPECT_THAT(
      error_of([&] { target.start("script", Slot::single, {}); }),
      AllOf(StartsWith("unavailable: "), HasSubstr("'verify' ended with 4"), HasSubstr("page says 500")));
  EXPECT_EQ(logged().size(), 3U);
  EXPECT_FALSE(target.observe("script", {}).at(Slot::single).running);
  again.activate = "exit 75";
  again.timeout = milliseconds(100);
  ScriptTarget never(again);
  never.claim("script", fence_of(1, "d1"), milliseconds(500), {});
  EXPECT_THAT(error_of([&] { never.start("script", Slot::single, {}); }),
              StartsWith("timeout: the command 'activate'"));
}

TEST_F(ScriptTest, LetsOnlyTheHighestTokenChangeAnything) {
  const auto old = claimed(2, "d1");
  const auto fresh = claimed(5, "d2");
  EXPECT_EQ(old->seen_token("script", {}), 5U);
  ScriptBalancer twin(*old);
  const std::vector<std::function<void()>> changes = {
      [&] { old->claim("script", fence_of(2, "d1"), milliseconds(100), {}); },
      [&] {
        old->prepare("script", {kOne, "", {}, {}}, {});
      },
      [&] { old->place("script", Slot::blue, kOne, {}); },
      [&] { old->start("script", Slot::blue, {}); },
      [&] { old->halt("script", Slot::blue, milliseconds(0), {}); },
      [&] { old->clean("script", 0, {}, {}); },
      [&] {
        old->run("script", Slot::blue, {"x", "true", {}}, {}, {});
      },
      [&] {
        twin.set({{{"script", Slot::blue}, {}}}, {});
      }};
  for (const auto& change : changes)
    EXPECT_THAT(error_of(change), AllOf(StartsWith("stale: "), HasSubstr("token 5 of deployment d2")));
  ScriptTarget other(options());
  EXPECT_THAT(error_of([&] { other.claim("script", fence_of(5, "d3"), milliseconds(100), {}); }),
              StartsWith("stale: "));
  EXPECT_THAT(error_of([&] { other.claim("script", fence_of(9, "d3", "else"), milliseconds(100), {}); }),
              StartsWith("conflict: "));
}

TEST_F(ScriptTest, KillsWhatItRunsWhenItIsToStopAndKeepsTheLockMeanwhile) {
  const auto target = claimed(1, "d1");
  std::stop_source stop;
  auto running = std::async(std::launch::async, [&] {
    return error_of([&] {
      target->run(
          "script", Slot::blue,
          {"smoke", "trap '' TERM; echo x > begun; while :; do echo x >> writes; sleep 0.02; done", {}}, {},
          stop.get_token());
    });
  });
  while (!fs::exists(options().directory / "begun")) std::this_thread::yield();
  ScriptTarget next(options());
  EXPECT_THAT(error_of([&] { next.claim("script", fence_of(2, "d2"), milliseconds(100), {}); }),
              AllOf(StartsWith("timeout: "), HasSubstr("deployment d1 still runs 'smoke'")));
  stop.request_stop();
  next.claim("script", fence_of(2, "d2"), milliseconds(10'000), {});
  const auto size = fs::file_size(options().directory / "writes");
  EXPECT_EQ(running.get(), "cancelled: cancelled");
  EXPECT_EQ(fs::file_size(options().directory / "writes"), size);
}

TEST_F(ScriptTest, EndsItsCommandsWhenItIsKilled) {
  claimed(1, "d1");
  const pid_t child = ::fork();
  if (child == 0) {
    claimed(1, "d1")->run("script", Slot::blue,
                          {"migrate",
                           "echo x > begun; while :; do echo x >> writes; sleep 0.02; done",
                           {},
                           milliseconds(60'000),
                           true},
                          {}, {});
    ::_exit(0);
  }
  while (!fs::exists(options().directory / "writes")) std::this_thread::yield();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ScriptTarget again(options());
  // The lock is free once all of them have ended.
  again.claim("script", fence_of(1, "d1"), milliseconds(10'000), {});
  const auto size = fs::file_size(options().directory / "writes");
  const auto result =
      again.run("script", Slot::blue, {"migrate", "echo again", {}, milliseconds(9000), true}, {}, {});
  EXPECT_EQ(result.end, CommandEnd::unknown);
  EXPECT_TRUE(result.found_again);
  EXPECT_EQ(fs::file_size(options().directory / "writes"), size);
}

TEST_F(ScriptTest, RunsCommandsOnceThatShallSurvive) {
  const auto target = claimed(1, "d1");
  std::vector<std::string> lines;
  const auto run = [&](const std::string& script) {
    lines.clear();
    return target->run("script", Slot::blue, {"migrate", script, {{"A", "b c"}}, milliseconds(9000), true},
                       [&](const std::string&, std::string_view line) { lines.emplace_back(line); }, {});
  };
  EXPECT_EQ(run("echo \"$A\" $RUNNER_SLOT; exit 3").exit_code, 3);
  EXPECT_THAT(lines, ElementsAre("b c blue"));
  const auto again = run("echo other");
  EXPECT_EQ(again.exit_code, 3);
  EXPECT_TRUE(again.found_again);
  EXPECT_THAT(lines, ElementsAre("b c blue"));
  EXPECT_EQ(target->run("script", Slot::blue, {"x", "sleep 9", {}, milliseconds(50)}, {}, {}).end,
            CommandEnd::timeout);
}

}  // namespace
}  // namespace runner::deployments
