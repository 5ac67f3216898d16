// Jobs that deploy to a protected environment: what the desk tells the engine and the gate.
#include "tests/daemon/desk_fixture.h"

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(DeployDeskTest, HoldsWhatStartsAProtectedEnvironmentOnly) {
  const auto one = job();
  EXPECT_FALSE(ask(one, "staging"));
  for (const char* action : {"stop", "prepare", "verify", "access"})
    EXPECT_FALSE(ask(one, "production", action));
  EXPECT_TRUE(ask(one));
  protect("");
  EXPECT_FALSE(ask(job()));
}

TEST_F(DeployDeskTest, TheLastApprovalLetsItBeginAndItsEndGivesTheEnvironmentBack) {
  auto one = waiting();
  EXPECT_EQ(deployment_of(one).state, "waiting_approval");
  EXPECT_THAT(deployment_of(one).reason, HasSubstr("1 approval of 'peers'"));
  EXPECT_THAT(told(), IsEmpty());
  approve(deployment_of(one));
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
  EXPECT_EQ(environment().holder, deployment_of(one).id);
  write(one, JobStatus::running);
  EXPECT_EQ(deployment_of(one).state, "locked");
  write(one, JobStatus::success);
  EXPECT_EQ(deployment_of(one).state, "succeeded");
  EXPECT_EQ(environment().holder, std::nullopt);
  EXPECT_EQ(environment().current, deployment_of(one).id);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DeployDeskTest, AnEndOfTheJobIsAnEndOfTheDeployment) {
  struct Case {
    bool approved;
    JobStatus status;
    const char *state, *reason;
  };
  for (const Case& one_case :
       {Case{true, JobStatus::failed, "failed", "its job failed: exit code 3"},
        Case{true, JobStatus::canceled, "failed", "its job canceled: exit code 3"},
        Case{false, JobStatus::canceled, "canceled", "its job canceled: exit code 3"}}) {
    auto one = waiting();
    if (one_case.approved) approve(deployment_of(one));
    if (one_case.approved) write(one, JobStatus::running);
    write(one, one_case.status, "exit code 3");
    EXPECT_EQ(deployment_of(one).state, one_case.state);
    EXPECT_EQ(deployment_of(one).reason, one_case.reason);
    EXPECT_EQ(environment().holder, std::nullopt);
    EXPECT_EQ(environment().current, std::nullopt);
  }
}

TEST_F(DeployDeskTest, WhatIsRefusedIsTurnedAwayWithTheReason) {
  auto one = waiting();
  EXPECT_EQ(
      gate().reject(deployment_of(one).id, {"ben", "developer", {}, {}, {}, true}, "not today", "test").why,
      "");
  desk_->changed();
  desk_->look(false);
  EXPECT_THAT(told(), ElementsAre("away " + name_of(one) +
                                  " deployment 1 to 'production' rejected: rejected by ben: not today"));
  protect(R"({"refs": ["main"]})");
  const auto other = waiting("feature");
  EXPECT_THAT(told(), ElementsAre("away " + name_of(other) +
                                  " deployment 2 to 'production' failed: 'feature' may not be deployed to "
                                  "'production': allowed are main"));
}

TEST_F(DeployDeskTest, ANewerOneTakesThePlaceOfOneThatWaitsForItsTurn) {
  protect(R"({"refs": ["*"]})");
  const auto first = waiting(), second = waiting(), third = waiting();
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(first)));
  auto running = first;
  write(running, JobStatus::running);
  write(running, JobStatus::success);
  EXPECT_THAT(told(),
              UnorderedElementsAre("pass " + name_of(third),
                                   "away " + name_of(second) +
                                       " deployment 2 to 'production' superseded: deployment 3 is newer "
                                       "and goes in its place"));
}

TEST_F(DeployDeskTest, WhatTheJobsBeforeLeftIsPartOfWhatIsApproved) {
  sources_ = {1};
  storage::JobRecord one = job();
  package(one, 1, "aa");
  EXPECT_TRUE(ask(one));
  write(one, JobStatus::waiting_for_resource);
  const DeploymentRecord before = deployment_of(one);
  EXPECT_EQ(planned_inputs(before), R"([{"archive":"sha256:aa","bytes":7,"images":["r.example/shop@sha256:)" +
                                        std::string(64, 'e') + R"("],"job":"package"}])");
  approve(before);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
}

TEST_F(DeployDeskTest, AJobBeforeThatIsRunAgainMakesApprovalsVoid) {
  sources_ = {1};
  protect(R"({"approvals": {"rules": [{"name": "peers", "count": 2, "who": ["role:developer"]}]}})");
  storage::JobRecord one = job();
  package(one, 1, "aa");
  EXPECT_TRUE(ask(one));
  write(one, JobStatus::waiting_for_resource);
  const DeploymentRecord before = deployment_of(one);
  approve(before);
  EXPECT_THAT(told(), IsEmpty());
  package(one, 2, "bb");
  desk_->look(false);
  const DeploymentRecord after = deployment_of(one);
  EXPECT_EQ(after.id, before.id);
  EXPECT_NE(after.fingerprint, before.fingerprint);
  EXPECT_THAT(planned_inputs(after).value_or(""), HasSubstr("sha256:bb"));
  EXPECT_EQ(gate().view(after.id)->approvals.void_ones.size(), 1U);
  EXPECT_EQ(gate().view(after.id)->approvals.rules[0].approved_by.size(), 0U);
  // The same once more changes nothing.
  package(one, 3, "bb");
  desk_->look(false);
  EXPECT_EQ(deployment_of(one).fingerprint, after.fingerprint);
}

TEST_F(DeployDeskTest, AnArchiveThatIsBeingMadeIsWaitedFor) {
  sources_ = {1};
  storage::JobRecord one = job();
  const auto before = package(one, 1, "", true);
  EXPECT_TRUE(ask(one));
  write(one, JobStatus::waiting_for_resource);
  EXPECT_THAT(deployments_of(one), IsEmpty());
  leave(before, "cc", false);
  desk_->look(false);
  EXPECT_THAT(planned_inputs(deployment_of(one)).value_or(""), HasSubstr("sha256:cc"));
}

TEST_F(DeployDeskTest, APushIsNobodysThatIsKnown) {
  source_ = "push";
  EXPECT_EQ(deployment_of(waiting()).triggered_by, "");
  source_ = "schedule";
  EXPECT_EQ(deployment_of(waiting()).triggered_by, "ada");
}

TEST_F(DeployDeskTest, NothingIsMadeBeforeTheJobIsWrittenAsWaiting) {
  auto one = job();
  ASSERT_TRUE(ask(one));
  desk_->look(true);
  EXPECT_THAT(deployments_of(one), IsEmpty());
  write(one, JobStatus::waiting_for_resource);
  EXPECT_EQ(deployments_of(one).size(), 1U);
}

TEST_F(DeployDeskTest, ARestartKeepsApprovalsAndDoesNotAskTwice) {
  auto one = waiting();
  const DeploymentRecord before = deployment_of(one);
  restart();
  ASSERT_TRUE(ask(one));  // the engine goes on with what waits
  desk_->look(false);
  EXPECT_EQ(deployments_of(one).size(), 1U);
  approve(before);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
  // The engine died before it was written that it may begin.
  restart();
  ASSERT_TRUE(ask(one));
  desk_->look(false);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
  // It runs, and ends while there is no desk.
  restart();
  one.status = JobStatus::success;
  store_->write([&](storage::Tx& tx) {
    storage::JobRecord next = one;
    ++next.version;
    ASSERT_TRUE(storage::Jobs(tx).replace(next, one.version));
  });
  restart();
  desk_->look(false);
  EXPECT_EQ(deployment_of(one).state, "succeeded");
  EXPECT_EQ(environment().holder, std::nullopt);
}

TEST_F(DeployDeskTest, ARejectionHoldsOverARestartAndANewAttemptAsksAnew) {
  auto one = waiting();
  gate().reject(deployment_of(one).id, {"ben", "developer", {}, {}, {}, true}, {}, "test");
  restart();  // before the engine was told
  ASSERT_TRUE(ask(one));
  desk_->look(false);
  EXPECT_THAT(told(), ElementsAre(HasSubstr("rejected by ben")));
  EXPECT_EQ(deployments_of(one).size(), 1U);
  write(one, JobStatus::failed);
  storage::JobRecord again = one;
  store_->write([&](storage::Tx& tx) {
    again = {};
    again.id = tx.take_ids("jobs", 1);
    again.pipeline = one.pipeline;
    again.attempt = 2;
    again.name = one.name;
    again.stage = one.stage;
    again.created_at = clock_.now();
    storage::Jobs(tx).insert(again);
  });
  ASSERT_TRUE(ask(again));
  write(again, JobStatus::waiting_for_resource);
  EXPECT_EQ(deployments_of(one).size(), 2U);
  EXPECT_EQ(deployment_of(one).state, "waiting_approval");
}

TEST_F(DeployDeskTest, WhatIsNoLongerProtectedGoesOn) {
  const auto one = waiting();
  protect("");
  desk_->look(false);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
}

}  // namespace
}  // namespace runner::daemon
