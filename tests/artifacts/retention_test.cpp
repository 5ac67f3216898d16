#include "artifacts/retention.h"

#include <gtest/gtest.h>

namespace runner::artifacts {
namespace {

using Ids = std::vector<std::int64_t>;
using std::chrono::hours;

const TimePoint kNow(std::chrono::milliseconds(1'700'000'000'000));

RetentionItem item(std::int64_t id, std::int64_t run, bool success = true,
                   std::optional<TimePoint> expires = kNow + hours(1)) {
  return {id, "/p", "main", "build", run, success, expires};
}

TEST(Retention, ExpiredGoButTheLatestSuccessStays) {
  const std::vector<RetentionItem> items = {item(1, 1, true, kNow), item(2, 2, true, kNow - hours(1)),
                                            item(3, 3, false, kNow - hours(1)),
                                            item(4, 3, false, std::nullopt)};
  const Retention result = retention(items, kNow, {});
  EXPECT_EQ(result.expired, (Ids{1, 3}));
  EXPECT_EQ(result.latest, Ids{2});
  EXPECT_TRUE(result.beyond.empty());
}

TEST(Retention, LatestIsOfProjectRefAndJob) {
  std::vector<RetentionItem> items;
  for (std::int64_t id = 1; id <= 4; ++id) items.push_back(item(id, id, true, kNow - hours(1)));
  items[0].project = "/q";
  items[1].ref = "topic";
  items[2].job = "test";
  EXPECT_EQ(retention(items, kNow, {}).latest, (Ids{1, 2, 3, 4}));
  EXPECT_TRUE(retention(items, kNow, {}).expired.empty());
}

TEST(Retention, EverythingOfTheLatestRunStays) {
  const std::vector<RetentionItem> items = {item(1, 2, true, kNow - hours(1)),
                                            item(2, 2, true, kNow - hours(2))};
  EXPECT_EQ(retention(items, kNow, {}).latest, (Ids{1, 2}));
}

TEST(Retention, OlderRunsGoAndTheLatestSuccessStaysAmongThem) {
  std::vector<RetentionItem> items;
  for (std::int64_t run = 1; run <= 5; ++run) items.push_back(item(run, run, run == 1));
  const Retention result = retention(items, kNow, {true, 2});
  EXPECT_EQ(result.beyond, (Ids{2, 3}));
  EXPECT_EQ(result.latest, Ids{1});
  items[4].project = "/q";
  EXPECT_EQ(retention(items, kNow, {true, 2}).beyond, Ids{2}) << "each project has runs of its own";
}

TEST(Retention, LatestCanBeLetGo) {
  const std::vector<RetentionItem> items = {item(1, 1, true, kNow - hours(1)), item(2, 2)};
  EXPECT_EQ(retention(items, kNow, {false, {}}).expired, Ids{1});
  EXPECT_EQ(retention(items, kNow, {false, 0}).beyond, Ids{2});
  EXPECT_TRUE(retention({}, kNow, {}).latest.empty());
}

}  // namespace
}  // namespace runner::artifacts
