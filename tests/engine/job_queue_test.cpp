#include "runner/engine/job_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace runner::engine {
namespace {

/// "project pipeline.job" of everything taken until the queue is empty, without an end in between.
std::vector<std::string> take_all(JobQueue& queue) {
  std::vector<std::string> all;
  while (const auto taken = queue.take())
    all.push_back(taken->project + " " + std::to_string(taken->job.pipeline) + "." +
                  std::to_string(taken->job.job));
  return all;
}

using Strings = std::vector<std::string>;

TEST(JobQueue, OneProjectIsServedInOrderOfArrival) {
  JobQueue queue;
  queue.push({2, 0}, "shop", 0);
  queue.push({1, 5}, "shop", 0);
  queue.push({1, 3}, "shop", 0);
  EXPECT_EQ(take_all(queue), (Strings{"shop 2.0", "shop 1.5", "shop 1.3"}));
  EXPECT_FALSE(queue.take());
}

TEST(JobQueue, AProjectWithManyJobsDoesNotDelayAnother) {
  JobQueue queue;
  for (std::size_t i = 0; i < 1000; ++i) queue.push({1, i}, "big", 0);
  queue.push({2, 0}, "small", 0);
  queue.push({2, 1}, "small", 0);
  EXPECT_EQ(queue.take()->project, "big");
  EXPECT_EQ(queue.take()->project, "small");
  EXPECT_EQ(queue.take()->project, "big");
  EXPECT_EQ(queue.take()->project, "small");
  EXPECT_EQ(queue.size(), 998U);
}

TEST(JobQueue, WhoRunsFewestGoesFirstWhoeverArrivedFirst) {
  JobQueue queue;
  queue.add_running("busy", 3);
  queue.push({1, 0}, "busy", 0);
  queue.push({2, 0}, "calm", 0);
  queue.push({2, 1}, "calm", 0);
  EXPECT_EQ(queue.take()->project, "calm");
  EXPECT_EQ(queue.take()->project, "calm");
  EXPECT_EQ(queue.take()->project, "busy");
}

TEST(JobQueue, APriorityHoldsWithinItsProjectOnly) {
  JobQueue queue;
  queue.push({1, 0}, "shop", 0);
  queue.push({2, 0}, "shop", 10);
  queue.push({3, 0}, "shop", -1);
  queue.push({4, 0}, "mail", 0);
  EXPECT_EQ(take_all(queue), (Strings{"mail 4.0", "shop 2.0", "shop 1.0", "shop 3.0"}));
}

TEST(JobQueue, WhatIsRemovedIsNotTakenAndWhatIsThereKeepsItsPlace) {
  JobQueue queue;
  queue.push({1, 0}, "shop", 0);
  queue.push({1, 1}, "shop", 0);
  queue.push({1, 0}, "shop", 5);
  EXPECT_TRUE(queue.waits({1, 0}));
  EXPECT_TRUE(queue.remove({1, 1}));
  EXPECT_FALSE(queue.remove({1, 1}));
  EXPECT_FALSE(queue.remove({7, 7}));
  EXPECT_EQ(take_all(queue), Strings{"shop 1.0"});
}

// With room for some, whatever comes and ends: no project runs two more than another that waits.
TEST(JobQueue, IsFairAtAnyMoment) {
  std::mt19937 random(7);
  JobQueue queue;
  std::map<std::string, int> running, waiting;
  std::vector<std::string> active;
  std::size_t next = 0;
  for (int step = 0; step < 5000; ++step) {
    const std::string project(1, static_cast<char>('a' + random() % 5));
    if (random() % 2 == 0) {
      queue.push({1, next++}, project, 0);
      ++waiting[project];
    } else if (!active.empty()) {
      const std::size_t which = random() % active.size();
      queue.add_running(active[which], -1);
      --running[active[which]];
      active.erase(active.begin() + static_cast<std::ptrdiff_t>(which));
    }
    while (active.size() < 8) {
      const auto taken = queue.take();
      if (!taken) break;
      --waiting[taken->project];
      for (const auto& [other, count] : waiting) {
        if (count > 0) {
          ASSERT_LE(running[taken->project], running[other]);
        }
      }
      ++running[taken->project];
      active.push_back(taken->project);
    }
  }
}

TEST(JobQueue, TellsHowManyWaitThatGoAtLeastAsSoon) {
  JobQueue queue;
  queue.push({1, 0}, "shop", 0);
  queue.push({2, 0}, "shop", 5);
  queue.push({2, 1}, "shop", 5);
  queue.push({3, 0}, "mail", 9);
  EXPECT_EQ(queue.waiting("shop", 6), 0U);
  EXPECT_EQ(queue.waiting("shop", 5), 2U);
  EXPECT_EQ(queue.waiting("shop", 0), 3U);
  EXPECT_EQ(queue.waiting("shop", -3), 3U);
  EXPECT_EQ(queue.waiting("none", -3), 0U);
  queue.remove({2, 1});
  EXPECT_EQ(queue.waiting("shop", 5), 1U);
  take_all(queue);
  EXPECT_EQ(queue.waiting("shop", -3), 0U);
}

TEST(JobQueue, TellsOnceOfWhichProjectsFewerWait) {
  JobQueue queue;
  queue.push({1, 0}, "shop", 0);
  queue.push({2, 0}, "mail", 0);
  queue.push({3, 0}, "wiki", 0);
  EXPECT_EQ(queue.take_shrunk(), std::set<std::string>{});
  queue.remove({1, 0});
  EXPECT_EQ(queue.take()->project, "mail");
  EXPECT_EQ(queue.take_shrunk(), (std::set<std::string>{"mail", "shop"}));
  EXPECT_EQ(queue.take_shrunk(), std::set<std::string>{});
}

}  // namespace
}  // namespace runner::engine
