// Which variables of its project a job is given, by what the store says of them and of its environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"
#include "runner/daemon/project_variables.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/project_table.h"
#include "runner/storage/variable_table.h"

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JobVariables : public testing::Test {
 protected:
  JobVariables() {
    request_.scope = "shop";
    pipelines::PlanJob& job = request_.plan.jobs.emplace_back();
    job.name = "ship";
    job.environment.emplace();
    job.environment->name = "production";
    order_.request = &request_;
    order_.state.name = "ship";
    order_.state.pipeline = 7;
    store_->write([&](storage::Tx& tx) {
      storage::ProjectRecord project;
      project.name = "shop";
      request_.facts.project_id = storage::Projects(tx).insert(project);
    });
  }
  pipelines::EnvironmentSpec& environment() { return *request_.plan.jobs[0].environment; }
  void set(const std::string& key, const std::string& scope, bool is_protected = false) {
    store_->write([&](storage::Tx& tx) {
      storage::VariableRecord variable;
      variable.project = request_.facts.project_id;
      variable.key = key;
      variable.scope = scope;
      variable.is_protected = is_protected;
      variable.masked = true;
      variable.kind = storage::VariableKind::file;
      storage::Variables(tx, sealer_).insert(variable, "value " + key + " of " + scope);
    });
  }
  void protect(const std::string& protection) {
    store_->write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto record = environments.of("shop", environment().name, clock_.now());
      environments.set_protection(record.id, protection, record.version);
    });
  }
  void deployment(const std::string& state, std::int64_t pipeline = 7, const std::string& job = "ship") {
    store_->write([&](storage::Tx& tx) {
      storage::DeploymentRecord record;
      record.environment = storage::Environments(tx).of("shop", environment().name, clock_.now()).id;
      record.kind = "job";
      record.state = state;
      record.pipeline = pipeline;
      record.job = job;
      storage::Deployments(tx).insert(record);
    });
  }
  std::vector<std::string> given() {
    std::vector<std::string> values;
    for (const auto& variable : variables_of_job(*store_, sealer_, order_, clock_.now())) {
      values.push_back(variable.value.substr(std::string("value ").size()));
      EXPECT_TRUE(variable.masked && variable.file);
      EXPECT_FALSE(variable.is_public);
      EXPECT_EQ(variable.source, pipelines::VariableSource::project);
      EXPECT_EQ(variable.environment_scope, "*");
    }
    return values;
  }
  std::string refusal() {
    try {
      given();
    } catch (const Error& error) {
      return error.what();
    }
    return "it was given";
  }

  const SystemClock clock_;
  std::unique_ptr<storage::Store> store_ = storage::make_memory_store(clock_);
  const storage::Sealer sealer_{storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k'))};
  engine::PipelineRequest request_;
  engine::JobOrder order_;
};

TEST_F(JobVariables, FitItsEnvironmentAndItsRef) {
  set("A", "*");
  set("A", "prod*");
  set("A", "production");
  set("B", "p*");
  set("C", "staging");
  set("D", "production", true);
  EXPECT_THAT(given(), ElementsAre("A of production", "B of p*"));
  request_.facts.ref_protected = true;
  EXPECT_THAT(given(), ElementsAre("A of production", "B of p*", "D of production"));
  environment().name = "Production";
  EXPECT_THAT(given(), IsEmpty());
  request_.plan.jobs[0].environment.reset();
  EXPECT_THAT(given(), IsEmpty());
}

TEST_F(JobVariables, OfAProtectedEnvironmentNeedADeploymentThatIsUnderWay) {
  protect(R"({"queue":"fifo"})");
  EXPECT_THAT(given(), IsEmpty()) << "there is nothing that had to be kept from it";
  set("A", "production");
  EXPECT_THAT(refusal(), HasSubstr("no deployment of this job is under way"));
  for (const char* state : {"waiting_approval", "queued", "succeeded", "resolved"}) {
    deployment(state);
    EXPECT_THAT(refusal(), HasSubstr("retry the job")) << state;
  }
  deployment("locked", 8);
  deployment("locked", 7, "other");
  EXPECT_THAT(refusal(), HasSubstr("retry the job")) << "those are others";
  deployment("locked");
  EXPECT_THAT(given(), ElementsAre("A of production"));
}

TEST_F(JobVariables, OfAProtectedEnvironmentAreNotForJobsThatPassNoGate) {
  protect(R"({"queue":"fifo"})");
  set("A", "production");
  deployment("locked");
  for (const char* action : {"verify", "access", "prepare", "stop"}) {
    environment().action = action;
    EXPECT_THAT(given(), IsEmpty()) << action;
  }
  protect("");
  EXPECT_THAT(given(), ElementsAre("A of production")) << "where everybody may";
}

TEST_F(JobVariables, AProtectionMaySayWhoseTheyAre) {
  environment().name = "production-eu";
  set("A", "production");
  set("B", "production-eu");
  EXPECT_THAT(given(), ElementsAre("B of production-eu"));
  protect(R"({"secrets":"production"})");
  deployment("locked");
  EXPECT_THAT(given(), ElementsAre("A of production"));
}

TEST_F(JobVariables, OfForksAreNotWhatNobodyMaySee) {
  set("A", "*");
  set("A", "production");
  const auto all = [&] {
    std::size_t count = given().size();
    store_->read([&](storage::Tx& tx) {
      count += variables_of_pipeline(tx, sealer_, request_.facts).variables.size();
    });
    return count;
  };
  request_.facts.ref_kind = pipelines::RefKind::merge_request;
  EXPECT_EQ(all(), 0U);
  request_.facts.extra_predefined["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"] = "topic";
  EXPECT_EQ(all(), 2U) << "whoever may push the branch may change it without a merge request, too";
}

TEST_F(JobVariables, ForAllJobsAreThePipelines) {
  set("A", "*");
  set("A", "production");
  set("B", "*", true);
  const auto names = [&] {
    std::vector<std::string> found;
    store_->read([&](storage::Tx& tx) {
      found.clear();
      for (const auto& each : variables_of_pipeline(tx, sealer_, request_.facts).variables)
        found.push_back(each.value.substr(std::string("value ").size()));
    });
    return found;
  };
  EXPECT_THAT(names(), ElementsAre("A of *"));
  request_.facts.ref_protected = true;
  EXPECT_THAT(names(), ElementsAre("A of *", "B of *"));
}

}  // namespace
}  // namespace runner::daemon
