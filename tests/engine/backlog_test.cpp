#include "runner/engine/backlog.h"

#include <gtest/gtest.h>

namespace runner::engine {
namespace {

/// Takes all of a project, as numbers of pipelines.
std::vector<std::int64_t> take_all(Backlog& backlog, const std::string& project) {
  std::vector<std::int64_t> all;
  while (const auto next = backlog.first(project)) {
    all.push_back(next->pipeline);
    backlog.remove(next->pipeline);
  }
  return all;
}

TEST(Backlog, OfAProjectComesByPriorityThenByAge) {
  Backlog backlog;
  backlog.add("shop", {4, 0});
  backlog.add("shop", {2, 0});
  backlog.add("shop", {7, 5});
  backlog.add("shop", {1, -1});
  backlog.add("mail", {3, 0});
  EXPECT_EQ(backlog.size(), 5U);
  EXPECT_EQ(backlog.first("shop")->priority, 5);
  EXPECT_EQ(take_all(backlog, "shop"), (std::vector<std::int64_t>{7, 2, 4, 1}));
  EXPECT_EQ(take_all(backlog, "mail"), std::vector<std::int64_t>{3});
  EXPECT_EQ(backlog.size(), 0U);
  EXPECT_FALSE(backlog.first("shop"));
}

TEST(Backlog, WhatIsThereTwiceOrNotAtAllChangesNothing) {
  Backlog backlog;
  backlog.add("shop", {4, 0});
  backlog.add("shop", {4, 9});
  backlog.remove(5);
  EXPECT_EQ(backlog.first("shop")->priority, 0);
  EXPECT_EQ(take_all(backlog, "shop"), std::vector<std::int64_t>{4});
}

TEST(Backlog, PlacesHaveAnOrder) {
  EXPECT_TRUE((Backlog::Place{9, 1}.before({1, 0})));
  EXPECT_TRUE((Backlog::Place{1, 0}.before({2, 0})));
  EXPECT_FALSE((Backlog::Place{1, 0}.before({1, 0})));
  EXPECT_FALSE((Backlog::Place{1, 0}.before({2, 1})));
}

}  // namespace
}  // namespace runner::engine
