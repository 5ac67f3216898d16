#include "runner/engine/resource_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runner::engine {
namespace {

using ::testing::ElementsAre;

JobRef ref(std::int64_t pipeline, std::size_t job) {
  return {pipeline, job};
}

const ResourceGroups::Key kGroup{"shop", "production"};

/// Jobs of these pipelines wait while another one holds the group, pipeline 50 is still to come; who gets it
/// in turn?
std::vector<std::int64_t> order(ResourceMode mode, const std::vector<std::int64_t>& arriving,
                                std::optional<std::int64_t> expected = {}) {
  ResourceGroups groups;
  groups.set_mode(kGroup, mode);
  EXPECT_TRUE(groups.request(kGroup, {1000, 0}));
  if (expected) groups.expect(kGroup, {*expected, 0});
  for (const std::int64_t pipeline : arriving) EXPECT_FALSE(groups.request(kGroup, {pipeline, 0}));
  std::vector<std::int64_t> got;
  JobRef holder{1000, 0};
  for (;;) {
    groups.leave(kGroup, holder);
    const std::vector<JobRef> granted = groups.take_granted();
    if (granted.empty()) return got;
    EXPECT_EQ(granted.size(), 1U);
    holder = granted.front();
    got.push_back(holder.pipeline);
  }
}

using Pipelines = std::vector<std::int64_t>;

TEST(ResourceGroups, GoByTheirMode) {
  const Pipelines arriving{30, 10, 40, 20};
  EXPECT_EQ(order(ResourceMode::unordered, arriving), (Pipelines{30, 10, 40, 20}));
  EXPECT_EQ(order(ResourceMode::oldest_first, arriving), (Pipelines{10, 20, 30, 40}));
  EXPECT_EQ(order(ResourceMode::newest_first, arriving), (Pipelines{40, 30, 20, 10}));
  EXPECT_EQ(order(ResourceMode::newest_ready_first, arriving), (Pipelines{40, 30, 20, 10}));
}

TEST(ResourceGroups, WaitForOneThatIsStillToComeWhereItsModeSaysSo) {
  const Pipelines arriving{30, 10, 40, 20};
  EXPECT_EQ(order(ResourceMode::unordered, arriving, 5), (Pipelines{30, 10, 40, 20}));
  EXPECT_EQ(order(ResourceMode::oldest_first, arriving, 5), Pipelines{});
  EXPECT_EQ(order(ResourceMode::oldest_first, arriving, 15), (Pipelines{10}));
  EXPECT_EQ(order(ResourceMode::newest_first, arriving, 5), (Pipelines{40, 30, 20, 10}));
  EXPECT_EQ(order(ResourceMode::newest_first, arriving, 50), Pipelines{});
  EXPECT_EQ(order(ResourceMode::newest_ready_first, arriving, 50), (Pipelines{40, 30, 20, 10}));
}

TEST(ResourceGroups, OneThatWillNeverComeLetsTheOthersGoOn) {
  ResourceGroups groups;
  groups.set_mode(kGroup, ResourceMode::oldest_first);
  groups.expect(kGroup, {1, 0});
  EXPECT_FALSE(groups.request(kGroup, {2, 0}));
  EXPECT_TRUE(groups.take_granted().empty());
  groups.leave(kGroup, {1, 0});  // skipped, say
  EXPECT_THAT(groups.take_granted(), ElementsAre(ref(2, 0)));
}

TEST(ResourceGroups, JobsOfOnePipelineGoInOrderOfArrivalInEveryMode) {
  for (const ResourceMode mode : {ResourceMode::unordered, ResourceMode::oldest_first,
                                  ResourceMode::newest_first, ResourceMode::newest_ready_first}) {
    ResourceGroups groups;
    groups.set_mode(kGroup, mode);
    groups.expect(kGroup, {1, 9});
    ASSERT_TRUE(groups.request(kGroup, {1, 3}));
    ASSERT_TRUE(groups.request(kGroup, {1, 3})) << "asked twice";
    ASSERT_FALSE(groups.request(kGroup, {1, 2}));
    ASSERT_FALSE(groups.request(kGroup, {1, 1}));
    groups.leave(kGroup, {1, 3});
    EXPECT_THAT(groups.take_granted(), ElementsAre(ref(1, 2))) << to_string(mode);
  }
}

TEST(ResourceGroups, AreOfTheirProject) {
  ResourceGroups groups;
  EXPECT_TRUE(groups.request({"shop", "production"}, {1, 0}));
  EXPECT_TRUE(groups.request({"mail", "production"}, {2, 0}));
  EXPECT_TRUE(groups.request({"shop", "staging"}, {3, 0}));
  EXPECT_FALSE(groups.request({"shop", "production"}, {4, 0}));
}

TEST(ResourceGroups, OneThatWaitsMayLeaveAndAHolderMayBeRestored) {
  ResourceGroups groups;
  groups.restore(kGroup, {1, 0});
  EXPECT_FALSE(groups.request(kGroup, {2, 0}));
  EXPECT_FALSE(groups.request(kGroup, {3, 0}));
  groups.leave(kGroup, {2, 0});
  EXPECT_TRUE(groups.take_granted().empty());
  groups.leave(kGroup, {1, 0});
  EXPECT_THAT(groups.take_granted(), ElementsAre(ref(3, 0)));
  // Canceled between being given the group and being told.
  groups.leave(kGroup, {3, 0});
  EXPECT_TRUE(groups.request(kGroup, {4, 0}));
}

TEST(ResourceGroups, ModesHaveTheirNames) {
  for (const std::string text : {"unordered", "oldest_first", "newest_first", "newest_ready_first"})
    EXPECT_EQ(to_string(parse_resource_mode(text).value()), text);
  EXPECT_FALSE(parse_resource_mode("newest"));
}

}  // namespace
}  // namespace runner::engine
