// Replicas of a service, exchanged one after the other.
#include <algorithm>

#include "tests/deployments/targets/compose/compose_stage.h"

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using test::Counts;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class ComposeRolling : public ComposeStage {
 protected:
  void SetUp() override {
    ComposeStage::SetUp();
    for (std::uint16_t n = 3; n < 6; ++n) ports_.push_back(static_cast<std::uint16_t>(single_port + n));
  }
  /// With a server for each replica, and for the one of recreate.
  void build(std::size_t count = 3) {
    ports_.resize(count);
    std::vector<test::HaproxyServer> servers{{"shop", single_port, "weight 100 disabled"}};
    for (const std::uint16_t port : ports_)
      servers.push_back({"shop-" + std::to_string(servers.size()), port, "weight 100 disabled"});
    build_with(replicas(ports_), DeployStrategy::rolling, servers);
  }
  void use(const ComposeOptions& options, DeployStrategy strategy) {
    options_ = options;
    spec_.strategy.type = strategy;
  }
  ComposeOptions first(std::size_t count) const {
    return replicas({ports_.begin(), ports_.begin() + static_cast<std::ptrdiff_t>(count)});
  }
  std::vector<std::string> answers() const {
    std::vector<std::string> all;
    for (const std::uint16_t port : ports_) all.push_back(answer_of(port));
    return all;
  }
  /// The container of a replica.
  std::vector<std::string> of(int replica) const {
    return containers("com.docker.compose.project=" + project + "-" + std::to_string(replica));
  }
  /// Records of what a place holds, and of releases for it.
  bool is_known(const std::string& place) const {
    const std::string all = ask("/volumes");
    return all.find("runner." + project + ".shop.slot." + place + ".") != std::string::npos ||
           all.find("runner." + project + ".shop.release." + place + ".") != std::string::npos;
  }

  std::vector<std::uint16_t> ports_;
};
ON_BOTH_ENGINES(ComposeRolling);

/// Of its own, as a process has the time that tests have.
class ComposeReplicas : public ComposeRolling {};
ON_BOTH_ENGINES(ComposeReplicas);

TEST_P(ComposeRolling, IsNoticedByNobodyAndASickReleaseStopsAtItsFirst) {
  build();
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Counts counts =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
  EXPECT_THAT(answers(), ElementsAre("two", "two", "two"));

  const auto second = of(2), third = of(3);
  ASSERT_THAT(second, SizeIs(1));
  spec_.health.deadline = milliseconds(4'000);
  const Counts kept =
      counted_while([&] { EXPECT_EQ(deploy(release("three", true)), State::rolled_back) << last_.reason; });
  EXPECT_THAT(last_.reason, HasSubstr("shop-1 was not healthy within 4 s: status 503"));
  EXPECT_EQ(kept.failed, 0U) << kept.text();
  EXPECT_THAT(kept.by_version, UnorderedElementsAre(Key("two")));
  EXPECT_THAT(answers(), ElementsAre("two", "two", "two"));
  EXPECT_EQ(of(2), second) << "what was not touched was not touched";
  EXPECT_EQ(of(3), third);
}

TEST_P(ComposeRolling, ADeployerThatDiesBetweenTwoReplicasIsGoneOnFor) {
  build();
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Release next = release("two");
  const auto id = lock(next);
  std::vector<std::string> done;
  const Counts counts = counted_while([&] {
    // admit, drain, halt, place, start, probe and admit are the first replica's.
    EXPECT_TRUE(dies_at(8, "deploy.phase", [&] { carry_out(id, next); }));
    EXPECT_THAT(answers(), ElementsAre("two", "one", "one"));
    done = of(1);
    take_again(id);
    // This one in the midst of the second.
    EXPECT_TRUE(dies_at(4, "deploy.phase", [&] { carry_out(id, next); }));
    take_again(id);
    EXPECT_EQ(carry_out(id, next), State::succeeded) << last_.reason;
  });
  EXPECT_EQ(of(1), done) << "what was done is not done again";
  EXPECT_THAT(answers(), ElementsAre("two", "two", "two"));
  EXPECT_EQ(counts.failed, 0U) << counts.text();
}

TEST_P(ComposeRolling, AFirstReleaseThatIsSickLeavesNothingRunning) {
  build(2);
  spec_.health.deadline = milliseconds(4'000);
  EXPECT_EQ(deploy(release("one", true)), State::rolled_back) << last_.reason;
  EXPECT_EQ(ComposeTarget(options_).left_over(never).size(), 0U);
  for (int replica = 1; replica <= 2; ++replica)
    for (const std::string& id : of(replica))
      EXPECT_THAT(ask("/containers/" + id + "/json"), HasSubstr("\"Running\":false"));
  spec_.health.deadline = milliseconds(60'000);
  EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason;
  EXPECT_THAT(answers(), ElementsAre("two", "two"));
}

TEST_P(ComposeReplicas, FewerReplicasLeaveNoneBehindAndMoreComeUpAgain) {
  build();
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  use(first(2), DeployStrategy::rolling);
  spec_.health.deadline = milliseconds(4'000);
  EXPECT_EQ(deploy(release("sick", true)), State::rolled_back) << last_.reason;
  EXPECT_THAT(answers(), ElementsAre("one", "one", "one")) << "the third serves until the others do";
  spec_.health.deadline = milliseconds(60'000);
  const Counts fewer =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(fewer.failed, 0U) << fewer.text();
  EXPECT_THAT(said_, HasSubstr("shop-3 is not used any more, and ends"));
  EXPECT_THAT(of(3), IsEmpty());
  EXPECT_FALSE(is_known("3"));
  EXPECT_THAT(of(2), SizeIs(1));
  EXPECT_TRUE(is_known("2"));

  use(first(3), DeployStrategy::rolling);
  const Counts more =
      counted_while([&] { EXPECT_EQ(deploy(release("three")), State::succeeded) << last_.reason; });
  EXPECT_EQ(more.failed, 0U) << more.text();
  EXPECT_THAT(answers(), ElementsAre("three", "three", "three"));
}

TEST_P(ComposeReplicas, FromAnotherStrategyAndBackWhatRanBeforeEnds) {
  build(2);
  use(options(false), DeployStrategy::recreate);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  use(first(2), DeployStrategy::rolling);
  const Counts there =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(there.failed, 0U) << "what was there serves until they do: " << there.text();
  EXPECT_THAT(there.by_version, UnorderedElementsAre(Key("one"), Key("two")));
  EXPECT_THAT(containers("com.docker.compose.project=" + project), IsEmpty());
  EXPECT_FALSE(is_known("single"));
  EXPECT_THAT(answers(), ElementsAre("two", "two"));

  use(options(false), DeployStrategy::recreate);
  const Counts back =
      counted_while([&] { EXPECT_EQ(deploy(release("three")), State::succeeded) << last_.reason; });
  EXPECT_EQ(back.failed, 0U) << "the replicas serve until it does: " << back.text();
  for (int replica = 1; replica <= 2; ++replica) EXPECT_THAT(of(replica), IsEmpty());
  EXPECT_EQ(answer_of(single_port), "three");
}

TEST_P(ComposeReplicas, AReleaseWhoseImageIsGoneIsPulledAgainOrRefusedBeforeAnythingIsDone) {
  build(2);
  // Of their own: nobody else finds them gone.
  const std::string kept = "kept-" + project;
  const Release old = release(kept), now = release("gone-" + project);
  ASSERT_EQ(deploy(old), State::succeeded) << last_.reason;
  ASSERT_EQ(deploy(now), State::succeeded) << last_.reason;
  const auto prune = [&](const Release& one) {
    tell("DELETE", "/images/" + one.image + "?force=1");
    ASSERT_THAT(ask("/images/" + one.image + "/json"), IsEmpty());
  };
  prune(old);
  const Counts pulled = counted_while([&] { EXPECT_EQ(deploy(old), State::succeeded) << last_.reason; });
  EXPECT_EQ(pulled.failed, 0U) << pulled.text();
  EXPECT_THAT(answers(), ElementsAre(kept, kept));

  prune(now);
  remove_from_registry(now.image);
  const auto before = std::vector{of(1), of(2)};
  const Counts refused = counted_while([&] { EXPECT_EQ(deploy(now), State::failed) << last_.reason; });
  EXPECT_THAT(last_.reason, AllOf(HasSubstr("cannot be pulled"), HasSubstr(now.image)));
  EXPECT_EQ(refused.failed, 0U) << refused.text();
  EXPECT_THAT(refused.by_version, UnorderedElementsAre(Key(kept)));
  EXPECT_EQ((std::vector{of(1), of(2)}), before);
}

}  // namespace
}  // namespace runner::deployments
