#include "runner/engine/job_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace runner::engine {
namespace {

JobQueue::Share of(const std::string& project, const std::string& executor = "shell") {
  return {project, executor};
}

/// "project pipeline.job" of everything taken until the queue is empty, without an end in between.
std::vector<std::string> take_all(JobQueue& queue) {
  std::vector<std::string> all;
  while (const auto taken = queue.take())
    all.push_back(taken->share.project + " " + std::to_string(taken->job.pipeline) + "." +
                  std::to_string(taken->job.job));
  return all;
}

using Strings = std::vector<std::string>;

TEST(JobQueue, OneProjectIsServedInOrderOfArrival) {
  JobQueue queue;
  queue.push({2, 0}, of("shop"), 0);
  queue.push({1, 5}, of("shop"), 0);
  queue.push({1, 3}, of("shop"), 0);
  EXPECT_EQ(take_all(queue), (Strings{"shop 2.0", "shop 1.5", "shop 1.3"}));
  EXPECT_FALSE(queue.take());
}

TEST(JobQueue, AProjectWithManyJobsDoesNotDelayAnother) {
  JobQueue queue;
  for (std::size_t i = 0; i < 1000; ++i) queue.push({1, i}, of("big"), 0);
  queue.push({2, 0}, of("small"), 0);
  queue.push({2, 1}, of("small"), 0);
  EXPECT_EQ(queue.take()->share.project, "big");
  EXPECT_EQ(queue.take()->share.project, "small");
  EXPECT_EQ(queue.take()->share.project, "big");
  EXPECT_EQ(queue.take()->share.project, "small");
  EXPECT_EQ(queue.size(), 998U);
}

TEST(JobQueue, WhoRunsFewestGoesFirstWhoeverArrivedFirst) {
  JobQueue queue;
  queue.add_running(of("busy"), 3);
  queue.push({1, 0}, of("busy"), 0);
  queue.push({2, 0}, of("calm"), 0);
  queue.push({2, 1}, of("calm"), 0);
  EXPECT_EQ(queue.take()->share.project, "calm");
  EXPECT_EQ(queue.take()->share.project, "calm");
  EXPECT_EQ(queue.take()->share.project, "busy");
}

TEST(JobQueue, APriorityHoldsWithinItsProjectOnly) {
  JobQueue queue;
  queue.push({1, 0}, of("shop"), 0);
  queue.push({2, 0}, of("shop"), 10);
  queue.push({3, 0}, of("shop"), -1);
  queue.push({4, 0}, of("mail"), 0);
  EXPECT_EQ(take_all(queue), (Strings{"mail 4.0", "shop 2.0", "shop 1.0", "shop 3.0"}));
}

TEST(JobQueue, WhatIsRemovedIsNotTakenAndWhatIsThereKeepsItsPlace) {
  JobQueue queue;
  queue.push({1, 0}, of("shop"), 0);
  queue.push({1, 1}, of("shop"), 0);
  queue.push({1, 0}, of("shop"), 5);
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
      queue.push({1, next++}, of(project), 0);
      ++waiting[project];
    } else if (!active.empty()) {
      const std::size_t which = random() % active.size();
      queue.add_running(of(active[which]), -1);
      --running[active[which]];
      active.erase(active.begin() + static_cast<std::ptrdiff_t>(which));
    }
    while (active.size() < 8) {
      const auto taken = queue.take();
      if (!taken) break;
      --waiting[taken->share.project];
      for (const auto& [other, count] : waiting) {
        if (count > 0) {
          ASSERT_LE(running[taken->share.project], running[other]);
        }
      }
      ++running[taken->share.project];
      active.push_back(taken->share.project);
    }
  }
}

TEST(JobQueue, TellsHowManyWaitThatGoAtLeastAsSoon) {
  JobQueue queue;
  queue.push({1, 0}, of("shop"), 0);
  queue.push({2, 0}, of("shop"), 5);
  queue.push({2, 1}, of("shop"), 5);
  queue.push({3, 0}, of("mail"), 9);
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
  queue.push({1, 0}, of("shop"), 0);
  queue.push({2, 0}, of("mail"), 0);
  queue.push({3, 0}, of("wiki"), 0);
  EXPECT_EQ(queue.take_shrunk(), std::set<std::string>{});
  queue.remove({1, 0});
  EXPECT_EQ(queue.take()->share.project, "mail");
  EXPECT_EQ(queue.take_shrunk(), (std::set<std::string>{"mail", "shop"}));
  EXPECT_EQ(queue.take_shrunk(), std::set<std::string>{});
}

TEST(JobQueue, JobsOfAnExecutorWithoutRoomArePassedOver) {
  JobQueue queue;
  queue.limit("container", 1);
  queue.push({1, 0}, of("shop", "container"), 0);
  queue.push({1, 1}, of("shop", "container"), 5);
  queue.push({1, 2}, of("shop"), 0);
  queue.push({2, 0}, of("mail", "container"), 0);
  queue.push({2, 1}, of("mail"), 0);
  // One of the container's jobs runs, whoever it is of; of what runs by the shell nothing waits for it.
  EXPECT_EQ(take_all(queue), (Strings{"mail 2.0", "shop 1.2", "mail 2.1"}));
  EXPECT_EQ(queue.size(), 2U);
  queue.add_running(of("mail", "container"), -1);
  EXPECT_EQ(take_all(queue), Strings{"shop 1.1"});
  queue.add_running(of("shop", "container"), -1);
  EXPECT_EQ(queue.take()->share, of("shop", "container"));
  EXPECT_EQ(queue.size(), 0U);
}

TEST(JobQueue, ALimitHoldsForWhatRunsSinceBefore) {
  JobQueue queue;
  queue.limit("container", 2);
  queue.add_running(of("shop", "container"), 2);
  queue.push({1, 0}, of("shop", "container"), 0);
  EXPECT_FALSE(queue.take());
  queue.limit("container", 3);
  EXPECT_TRUE(queue.take());
}

}  // namespace
}  // namespace runner::engine
