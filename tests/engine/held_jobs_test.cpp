// Jobs that wait until somebody outside lets them through.
#include <gmock/gmock.h>

#include "tests/engine/engine_harness.h"
#include "tests/support/scripted_executor.h"

namespace runner::engine {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;
using test::EngineHarness;
using test::PlanBuilder;
using test::ScriptedExecutor;

constexpr std::size_t kDeploy = 1;  // in the plan

class HeldJobs : public testing::Test {
 protected:
  HeldJobs() {
    plan_.add("build", 0);
    pipelines::PlanJob& deploy = plan_.add("deploy", 1);
    deploy.environment = pipelines::EnvironmentSpec{};
    deploy.environment->name = "production";
    deploy.retry = {2, {"always"}, {}, true};
    plan_.add("after", 2);
    harness_.holds = [this](const AtGate& at) {
      if (at.job.name != "deploy") return false;
      EXPECT_EQ(at.index, kDeploy);
      EXPECT_EQ(at.scope, "shop");
      ++asked_;
      return holds_;
    };
  }
  JobStatus run() {
    if (harness_.pipeline() == 0) {
      PipelineRequest request = harness_.request(plan_.plan());
      request.scope = "shop";
      return harness_.run(std::move(request)).status;
    }
    return harness_.engine().run(harness_.pipeline()).status;
  }

  PlanBuilder plan_;
  ScriptedExecutor executor_{{}};
  EngineHarness harness_{executor_};
  bool holds_ = true;
  int asked_ = 0;
};

TEST_F(HeldJobs, WaitAndGoOnWhenTheyArePassed) {
  EXPECT_EQ(run(), JobStatus::waiting_for_resource);
  EXPECT_EQ(harness_.status("build"), JobStatus::success);
  EXPECT_EQ(harness_.status("deploy"), JobStatus::waiting_for_resource);
  EXPECT_EQ(harness_.job("deploy").reason, "environment 'production' is protected: see 'runner deploy list'");
  EXPECT_EQ(harness_.status("after"), JobStatus::created);
  EXPECT_EQ(run(), JobStatus::waiting_for_resource) << "nobody said anything";
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  harness_.engine().pass(harness_.pipeline(), kDeploy);  // twice is fine
  EXPECT_EQ(run(), JobStatus::success);
  EXPECT_EQ(harness_.job("deploy").reason, "");
  EXPECT_EQ(harness_.status("after"), JobStatus::success);
  EXPECT_EQ(asked_, 1);
}

TEST_F(HeldJobs, FailWithTheReasonAndAreNotTriedAgainWhenTheyAreTurnedAway) {
  run();
  harness_.engine().turn_away(harness_.pipeline(), kDeploy, "rejected by ben: not today");
  EXPECT_EQ(run(), JobStatus::failed);
  const JobView deploy = harness_.job("deploy");
  EXPECT_EQ(deploy.status, JobStatus::failed);
  EXPECT_EQ(deploy.failure, FailureReason::unmet_prerequisites);
  EXPECT_EQ(deploy.reason, "rejected by ben: not today");
  EXPECT_EQ(harness_.status("after"), JobStatus::skipped);
  EXPECT_EQ(asked_, 1);
  // What comes too late changes nothing; a person's retry asks anew.
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::failed);
  harness_.engine().play(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::waiting_for_resource);
  EXPECT_EQ(asked_, 2);
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::success);
}

TEST_F(HeldJobs, AreCanceledLikeOthers) {
  run();
  harness_.engine().cancel(harness_.pipeline());
  EXPECT_EQ(run(), JobStatus::canceled);
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::canceled);
}

TEST_F(HeldJobs, ThatAPersonStartsAreAskedAboutThen) {
  PlanBuilder plan;
  plan.add("build", 0);
  plan.add("deploy", 1).when = pipelines::When::manual;
  plan_ = plan;
  EXPECT_EQ(run(), JobStatus::manual);
  EXPECT_EQ(asked_, 0);
  harness_.engine().play(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::waiting_for_resource);
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::success);
}

TEST_F(HeldJobs, WaitForTheirResourceGroupAfterwards) {
  PlanBuilder plan;
  plan.add("build", 0);
  plan.add("deploy", 1).resource_group = "production";
  plan_ = plan;
  EXPECT_EQ(run(), JobStatus::waiting_for_resource);
  harness_.engine().pass(harness_.pipeline(), kDeploy);
  EXPECT_EQ(run(), JobStatus::success);
}

TEST_F(HeldJobs, AreNoneWhereNobodyHolds) {
  holds_ = false;
  EXPECT_EQ(run(), JobStatus::success);
  EXPECT_EQ(asked_, 1);
}

}  // namespace
}  // namespace runner::engine
