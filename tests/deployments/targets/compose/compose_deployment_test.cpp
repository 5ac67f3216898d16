// Whole deployments of a service of a compose file: a real engine, HAProxy, and clients that count every
// answer they do not get.
#include "tests/deployments/targets/compose/compose_stage.h"

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using test::Counts;
using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

class ComposeDeployment : public ComposeStage {
 protected:
  void build(DeployStrategy strategy) {
    if (strategy == DeployStrategy::recreate)
      build_with(options(false), strategy, {{"shop", single_port}});
    else
      build_with(options(true), strategy,
                 {{"shop-blue", blue_port, "weight 100 disabled"},
                  {"shop-green", green_port, "weight 100 disabled"}});
  }
};
ON_BOTH_ENGINES(ComposeDeployment);

TEST_P(ComposeDeployment, BlueGreenIsNoticedByNobodyAndASickReleaseNeither) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Counts counts =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));

  spec_.health.deadline = milliseconds(4'000);
  const Counts kept =
      counted_while([&] { EXPECT_EQ(deploy(release("three", true)), State::rolled_back) << last_.reason; });
  EXPECT_THAT(last_.reason, HasSubstr("was not healthy within 4 s: status 503"));
  EXPECT_EQ(kept.failed, 0U) << kept.text();
  EXPECT_THAT(kept.by_version, UnorderedElementsAre(Key("two")));
}

TEST_P(ComposeDeployment, ACanaryGetsItsShare) {
  build(DeployStrategy::canary);
  spec_.strategy.steps = {{20, milliseconds(1'500), false}, {100, {}, false}};
  spec_.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.01, {}, {}, {}, 20});
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Counts counts =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_P(ComposeDeployment, RecreateBringsTheOldBackWhenTheNewIsSick) {
  build(DeployStrategy::recreate);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  spec_.health.deadline = milliseconds(4'000);
  EXPECT_EQ(deploy(release("two", true)), State::rolled_back) << last_.reason;
  EXPECT_EQ(answer_of(single_port), "one");
}

TEST_P(ComposeDeployment, ADeployerThatIsKilledAtAnyStepIsGoneOnFor) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Release next = release("two");
  const auto id = lock(next);
  int left = 1, kills = 0;
  const Counts counts = counted_while([&] {
    // The first life dies at its first boundary, the next at its fourth, until one comes to the end.
    while (dies_at(left, "deploy.", [&] { carry_out(id, next); })) {
      ++kills;
      left += 3;
      take_again(id);
    }
  });
  EXPECT_EQ(parse_state(last_.state), State::succeeded) << last_.reason;
  EXPECT_GT(kills, 2);
  EXPECT_EQ(counts.failed, 0U) << counts.text();
}

}  // namespace
}  // namespace runner::deployments
