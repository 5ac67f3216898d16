// Commands in containers: of a slot, and of their own.
#include <mutex>
#include <thread>

#include "tests/deployments/targets/compose/compose_fixture.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ComposeCommands : public ComposeFixture {
 public:
  void SetUp() override {
    ComposeFixture::SetUp();
    if (IsSkipped()) return;
    t = claimed(false, 1, "d1");
    one = release("one");
    t->prepare(kUnit, one, never);
  }
  void bring_up() {
    t->place(kUnit, Slot::single, one.id, never);
    t->start(kUnit, Slot::single, never);
    ASSERT_EQ(answer_of(single_port), "one");
  }
  CommandResult run(ComposeTarget& target, const TargetCommand& command) {
    lines.clear();
    const TellLine tell = [this](const std::string& unit, std::string_view line) {
      EXPECT_EQ(unit, kUnit);
      lines.emplace_back(line);
    };
    return target.run(kUnit, Slot::single, command, tell, never);
  }
  TargetCommand migration(const std::string& script) const {
    TargetCommand command{"migrate", script, {{"STEP", "a $b 'c'"}}, milliseconds(60'000), true, one.id};
    return command;
  }

  std::unique_ptr<ComposeTarget> t;
  Release one;
  std::vector<std::string> lines;
};
ON_BOTH_ENGINES(ComposeCommands);

TEST_P(ComposeCommands, OneThatEndsWithUsRunsInTheContainerOfTheSlot) {
  EXPECT_EQ(run(*t, {"health", "true", {}, milliseconds(5000)}).exit_code, 1) << "nothing runs yet";
  EXPECT_THAT(lines, ElementsAre("no container of it runs"));
  bring_up();
  const CommandResult good = run(*t, {"health", "echo $GREETING; echo $OWN >&2; exit 3", {{"OWN", "x y"}}});
  EXPECT_EQ(good.end, CommandEnd::exited);
  EXPECT_EQ(good.exit_code, 3);
  EXPECT_THAT(lines, testing::UnorderedElementsAre("hello $you", "x y"));
  const auto begun = std::chrono::steady_clock::now();
  const CommandResult slow = run(*t, {"health", "echo begun; sleep 77", {}, milliseconds(2000)});
  EXPECT_EQ(slow.end, CommandEnd::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(40));
  run(*t, {"health", "ps | grep -c '[s]leep 77' || true", {}, milliseconds(30'000)});
  EXPECT_THAT(lines, ElementsAre("0")) << "it was killed";
}

TEST_P(ComposeCommands, OneThatSurvivesHasAContainerOfItsOwnAndIsFoundAgain) {
  const CommandResult done = run(*t, migration("echo \"$GREETING: $STEP\"; echo $RUNNER_RELEASE; exit 4"));
  EXPECT_EQ(done.end, CommandEnd::exited);
  EXPECT_EQ(done.exit_code, 4);
  EXPECT_FALSE(done.found_again);
  EXPECT_THAT(lines, ElementsAre("hello $you: a $b 'c'", one.id));
  // Another process of the same deployment, on another machine for all we know.
  const auto next = claimed(false, 2, "d1");
  const CommandResult again = run(*next, migration("echo this is not run"));
  EXPECT_TRUE(again.found_again);
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_THAT(lines, ElementsAre("hello $you: a $b 'c'", one.id));
  EXPECT_EQ(run(*next, {"migrate-again-2", "true", {}, milliseconds(60'000), true, one.id}).exit_code, 0);
  // Somebody has removed the container.
  for (const std::string& id : containers("io.runner.deploy.command=migrate"))
    if (ask("/containers/" + id + "/json").find(project) != std::string::npos)
      tell("DELETE", "/containers/" + id + "?force=1");
  const CommandResult gone = run(*next, migration("echo this is not run"));
  EXPECT_EQ(gone.end, CommandEnd::unknown);
  EXPECT_THAT(lines, IsEmpty());
}

TEST_P(ComposeCommands, OneThatOutlivesItsDeployerIsWaitedForByTheNext) {
  std::jthread dead([this] {
    // It is never told that it may end.
    const auto deployer = claimed(false, 1, "d1");
    const std::string error = error_of([&] {
      deployer->run(kUnit, Slot::single, migration("echo begun; until test -e /tmp/go; do sleep 0.1; done"),
                    {}, never);
    });
    EXPECT_EQ(error, "");
  });
  const std::string label = "io.runner.deploy.unit=" + project + "/shop";
  std::string running;
  while (running.empty())
    for (const std::string& id : containers(label))
      if (ask("/containers/" + id + "/json").find("\"Status\":\"running\"") != std::string::npos)
        running = id;
  const auto next = target(false);
  EXPECT_THAT(error_of([&] { next->claim(kUnit, fence(2, "d2"), milliseconds(300), never); }),
              AllOf(HasSubstr("timeout: "), HasSubstr("'migrate' of deployment d1")));
  EXPECT_THAT(error_of([&] { t->place(kUnit, Slot::single, one.id, never); }), HasSubstr("stale: "))
      << "the token is taken all the same";
  tell("POST", "/containers/" + running + "/kill");
  next->claim(kUnit, fence(2, "d2"), milliseconds(30'000), never);
  next->clean(kUnit, 5, {}, never);
  dead.join();
  EXPECT_THAT(containers(label), IsEmpty()) << "its container is gone with it";
}

TEST_P(ComposeCommands, OneThatTakesTooLongIsKilled) {
  TargetCommand slow = migration("echo begun; sleep 100");
  slow.timeout = milliseconds(3000);
  EXPECT_EQ(run(*t, slow).end, CommandEnd::timeout);
  EXPECT_THAT(lines, ElementsAre("begun"));
  EXPECT_EQ(error_of([&] { t->claim(kUnit, fence(2, "d2"), milliseconds(0), never); }), "") << "nothing runs";
}

}  // namespace
}  // namespace runner::deployments
