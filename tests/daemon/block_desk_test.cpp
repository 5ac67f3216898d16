// Jobs with `deploy:` at the desk: begun, half done, gone on with, and taken back.
#include "tests/daemon/desk_fixture.h"

namespace runner::daemon {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Jobs with `deploy:`, to an environment without protection.
class BlockDeskTest : public DeployDeskTest {
 protected:
  BlockDeskTest() {
    protect("");
    block_ = "{}";
  }
  /// One that the gate let through.
  storage::JobRecord running() {
    storage::JobRecord one = waiting();
    EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
    write(one, JobStatus::running);
    return one;
  }
  void lead(const storage::JobRecord& job, std::initializer_list<deployments::State> states) {
    deployments::Journal journal(*store_, clock_, deployment_of(job).id, {});
    for (const auto state : states) journal.go(state);
  }
  storage::JobRecord another_attempt(const storage::JobRecord& before) {
    storage::JobRecord next = before;
    next.status = JobStatus::created;
    next.attempt = before.attempt + 1;
    next.version = 0;
    store_->write([&](storage::Tx& tx) {
      next.id = tx.take_ids("jobs", 1);
      storage::Jobs(tx).insert(next);
    });
    return next;
  }
  void deploy_two_releases() {
    for (const char* release : {"one", "two"}) {
      auto one = running();
      auto record = deployment_of(one);
      record.release = release;
      store_->write([&](storage::Tx& tx) { storage::Deployments(tx).replace(record); });
      lead(one, kHalf);
      lead(one, {deployments::State::switched, deployments::State::verifying, deployments::State::finalizing,
                 deployments::State::succeeded});
      write(one, JobStatus::success);
    }
  }
  static constexpr std::initializer_list<deployments::State> kHalf = {
      deployments::State::preparing, deployments::State::snapshotted, deployments::State::progressing};
};

TEST_F(BlockDeskTest, IsHeldWithoutAProtectionAndBeginsAtOnce) {
  auto one = running();
  EXPECT_EQ(deployment_of(one).kind, "deploy");
  EXPECT_EQ(deployment_of(one).state, "locked");
  auto other = waiting();
  EXPECT_THAT(told(), IsEmpty()) << "one at a time";
  lead(one, kHalf);
  lead(one, {deployments::State::switched, deployments::State::verifying, deployments::State::finalizing,
             deployments::State::succeeded});
  write(one, JobStatus::success);
  desk_->look(true);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(other)));
}

TEST_F(BlockDeskTest, WhatDiedBeforeItDidAnythingFails) {
  auto one = running();
  write(one, JobStatus::failed, "no space");
  EXPECT_EQ(deployment_of(one).state, "failed");
  EXPECT_THAT(deployment_of(one).reason, HasSubstr("no space"));
  EXPECT_FALSE(environment().holder);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(BlockDeskTest, WhatIsHalfDoneGoesOnInAnotherAttempt) {
  for (const JobStatus end : {JobStatus::failed, JobStatus::canceled}) {
    auto one = running();
    lead(one, kHalf);
    write(one, end);
    EXPECT_THAT(told(), ElementsAre("again " + name_of(one)));
    EXPECT_EQ(deployment_of(one).request, end == JobStatus::canceled ? "abort" : "");
    // The same is found by whoever comes after a crash.
    restart();
    desk_->look(true);
    EXPECT_THAT(told(), ElementsAre("again " + name_of(one)));
    auto next = another_attempt(one);
    EXPECT_TRUE(ask(next));
    write(next, JobStatus::waiting_for_resource);
    EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
    EXPECT_EQ(deployments_of(one).size(), 1U) << "it is the same deployment";
    write(next, JobStatus::running);
    lead(one, {deployments::State::rolling_back, deployments::State::rolled_back});
    write(next, JobStatus::failed);
    EXPECT_THAT(told(), IsEmpty());
  }
}

TEST_F(BlockDeskTest, ARollbackLetsTheJobRunOnceMoreUntilItsAttemptComes) {
  deploy_two_releases();
  told();
  DeploymentRecord made;
  EXPECT_EQ(gate().roll_back(environment().id, 0, {"ben", "developer", {}, {}, {}, true}, made).why, "");
  EXPECT_EQ(made.release, "one");
  desk_->changed();
  desk_->look(false);
  const std::string again = "again " + std::to_string(*made.pipeline) + ".0";
  EXPECT_THAT(told(), ElementsAre(again));
  restart();
  desk_->look(true);
  EXPECT_THAT(told(), ElementsAre(again)) << "also when the server died before";
  storage::JobRecord first;
  store_->read([&](storage::Tx& tx) { first = storage::Jobs(tx).of_pipeline(*made.pipeline).front(); });
  auto next = another_attempt(first);
  EXPECT_TRUE(ask(next));
  write(next, JobStatus::waiting_for_resource);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(first)));
  EXPECT_EQ(deployment_of(first).kind, "rollback");
  desk_->changed();
  desk_->look(true);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(BlockDeskTest, ARollbackOfWhatWasBuiltAnewSinceIsRefused) {
  sources_ = {1};
  storage::JobRecord one = job();
  package(one, 1, "aa");
  EXPECT_TRUE(ask(one));
  write(one, JobStatus::waiting_for_resource);
  EXPECT_THAT(told(), ElementsAre("pass " + name_of(one)));
  write(one, JobStatus::running);
  auto record = deployment_of(one);
  record.release = "one";
  store_->write([&](storage::Tx& tx) { storage::Deployments(tx).replace(record); });
  lead(one, kHalf);
  lead(one, {deployments::State::switched, deployments::State::verifying, deployments::State::finalizing,
             deployments::State::succeeded});
  write(one, JobStatus::success);
  package(one, 2, "bb");
  sources_ = {};
  deploy_two_releases();
  sources_ = {1};
  told();
  DeploymentRecord back;
  ASSERT_EQ(
      gate().roll_back(environment().id, record.number, {"ben", "developer", {}, {}, {}, true}, back).why,
      "");
  storage::JobRecord again = another_attempt(one);
  EXPECT_TRUE(ask(again));
  write(again, JobStatus::waiting_for_resource);
  EXPECT_THAT(told(), Contains(HasSubstr("a job before it was run again since")));
}

TEST_F(BlockDeskTest, ARollbackThatIsCanceledIsNotRun) {
  deploy_two_releases();
  told();
  DeploymentRecord made;
  gate().roll_back(environment().id, 0, {"ben", "developer", {}, {}, {}, true}, made);
  EXPECT_EQ(gate().cancel(made.id, {"ben", "developer", {}, {}, {}, true}).why, "");
  desk_->changed();
  desk_->look(true);
  EXPECT_THAT(told(), IsEmpty());
}

}  // namespace
}  // namespace runner::daemon
