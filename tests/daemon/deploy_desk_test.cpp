// Jobs that deploy to a protected environment: what the desk tells the engine and the gate, without an
// engine.
#include "runner/daemon/deploy_desk.h"

#include <gmock/gmock.h>

#include "deployments/journal.h"
#include "deployments/people.h"
#include "runner/storage/access_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using pipelines::JobStatus;
using storage::DeploymentRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kOneApproval =
    R"({"approvals": {"rules": [{"name": "peers", "count": 1, "who": ["role:developer"]}]}})";

class DeployDeskTest : public testing::Test {
 protected:
  DeployDeskTest() {
    store_->write([&](storage::Tx& tx) {
      for (const auto& [name, role] : std::map<std::string, storage::Role>{
               {"ada", storage::Role::developer}, {"ben", storage::Role::developer}}) {
        storage::UserRecord user;
        user.name = name;
        user.role = role;
        storage::Users(tx).insert(user);
      }
    });
    protect(kOneApproval);
    restart();
  }

  void protect(const std::string& json) {
    store_->write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto environment = environments.of("shop", "production", clock_.now());
      environments.set_protection(environment.id, json, environment.version);
    });
    if (desk_) desk_->changed();
  }
  void restart() {
    desk_ = std::make_unique<DeployDesk>(DeskParts{
        *store_, clock_,
        [this](std::int64_t pipeline, std::size_t job) {
          told_.push_back("pass " + std::to_string(pipeline) + "." + std::to_string(job));
        },
        [this](std::int64_t pipeline, std::size_t job, const std::string& why) {
          told_.push_back("away " + std::to_string(pipeline) + "." + std::to_string(job) + " " + why);
        },
        [this](std::int64_t pipeline, std::size_t job) {
          told_.push_back("again " + std::to_string(pipeline) + "." + std::to_string(job));
        }});
  }

  /// A pipeline with one job, which is not written yet.
  storage::JobRecord job(const std::string& ref = "main") {
    storage::JobRecord job;
    store_->write([&](storage::Tx& tx) {
      storage::PipelineRecord pipeline;
      pipeline.project = "local/shop";
      pipeline.ref = ref;
      pipeline.created_at = clock_.now();
      job = {};
      job.pipeline = storage::Pipelines(tx).insert(pipeline);
      job.id = tx.take_ids("jobs", 1);
      job.name = "deploy";
      job.stage = "deploy";
      job.created_at = clock_.now();
      storage::Jobs(tx).insert(job);
    });
    refs_[job.pipeline] = ref;
    return job;
  }
  bool ask(const storage::JobRecord& job, const std::string& environment = "production",
           const std::string& action = "start") {
    pipelines::PlanJob planned;
    planned.name = job.name;
    if (block_.empty())
      planned.script = {"./deploy"};
    else
      planned.deploy = block_;
    planned.environment = pipelines::EnvironmentSpec{};
    planned.environment->name = environment;
    planned.environment->action = action;
    pipelines::PipelineFacts facts;
    facts.ref_name = refs_[job.pipeline];
    facts.sha = std::string(40, 'c');
    facts.source = source_;
    facts.user_login = "ada";
    const std::string scope = "shop";
    return desk_->holds({job.pipeline, job.plan_index, job.id, scope, planned, facts});
  }
  void write(storage::JobRecord& job, JobStatus status, const std::string& reason = {}) {
    job.status = status;
    job.reason = reason;
    store_->write([&](storage::Tx& tx) {
      storage::JobRecord next = job;
      ++next.version;
      ASSERT_TRUE(storage::Jobs(tx).replace(next, job.version));
      const storage::PipelineRecord pipeline;
      desk_->note({pipeline, false, {&next}});
    });
    ++job.version;
    desk_->look(false);
  }
  /// A job that waits at the gate.
  storage::JobRecord waiting(const std::string& ref = "main") {
    storage::JobRecord one = job(ref);
    EXPECT_TRUE(ask(one));
    write(one, JobStatus::waiting_for_resource);
    return one;
  }

  deployments::Gate gate() { return {*store_, clock_, deployments::people_now(*store_)}; }
  void approve(const DeploymentRecord& deployment) {
    EXPECT_EQ(gate().approve(deployment.id, {"ben", "developer", {}, {}, {}, true}, {}, "test").why, "");
    desk_->changed();
    desk_->look(false);
  }
  std::vector<DeploymentRecord> deployments_of(const storage::JobRecord& job) {
    std::vector<DeploymentRecord> all;
    store_->read([&](storage::Tx& tx) {
      all.clear();
      const auto environment = storage::Environments(tx).find("shop", "production");
      for (auto& one : storage::Deployments(tx).of_environment(environment->id))
        if (one.pipeline == job.pipeline) all.push_back(std::move(one));
    });
    return all;
  }
  DeploymentRecord deployment_of(const storage::JobRecord& job) {
    const auto all = deployments_of(job);
    EXPECT_FALSE(all.empty());
    return all.empty() ? DeploymentRecord() : all.front();
  }
  storage::EnvironmentRecord environment() {
    storage::EnvironmentRecord found;
    store_->read(
        [&](storage::Tx& tx) { found = storage::Environments(tx).find("shop", "production").value(); });
    return found;
  }
  std::vector<std::string> told() { return std::exchange(told_, {}); }
  static std::string name_of(const storage::JobRecord& job) {
    return std::to_string(job.pipeline) + "." + std::to_string(job.plan_index);
  }

  SystemClock clock_;
  std::unique_ptr<storage::Store> store_ = storage::make_memory_store(clock_);
  std::unique_ptr<DeployDesk> desk_;
  std::map<std::int64_t, std::string> refs_;
  std::vector<std::string> told_;
  std::string source_ = "api", block_;
};

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
