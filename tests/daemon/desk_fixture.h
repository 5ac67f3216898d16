#pragma once
// A desk without an engine: jobs are rows of a store, and what it tells the engine is a list of words.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deployments/journal.h"
#include "deployments/people.h"
#include "runner/daemon/deploy_desk.h"
#include "runner/daemon/deploy_inputs.h"
#include "runner/engine/outcome_text.h"
#include "runner/storage/access_table.h"
#include "runner/storage/result_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {

using pipelines::JobStatus;
using storage::DeploymentRecord;

inline constexpr const char* kOneApproval =
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
    planned.artifact_sources = sources_;
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
  /// An attempt of a job before, with what it left.
  storage::JobRecord package(const storage::JobRecord& before, int attempt, const std::string& archive,
                             bool archiving = false) {
    storage::JobRecord one;
    one.pipeline = before.pipeline;
    one.plan_index = 1;
    one.name = "package";
    one.stage = "build";
    one.attempt = attempt;
    one.status = JobStatus::success;
    one.created_at = clock_.now();
    store_->write([&](storage::Tx& tx) {
      one.id = tx.take_ids("jobs", 1);
      storage::Jobs(tx).insert(one);
    });
    leave(one, archive, archiving);
    return one;
  }
  void leave(const storage::JobRecord& job, const std::string& archive, bool archiving) {
    engine::JobResult result;
    result.archiving = archiving;
    if (!archiving) result.archive = engine::ArchiveView{"app", "archives/app.zip", archive, 7, 1};
    result.collected.dotenv = {{"IMAGE", "r.example/shop@sha256:" + std::string(64, 'e')},
                               {"OTHER", "x@sha256:1"}};
    store_->write([&](storage::Tx& tx) {
      storage::JobResults(tx).put(job.id, engine::freeze(result));
      const storage::PipelineRecord pipeline;
      desk_->note({pipeline, false, {&job}});
    });
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
  pipelines::JobIndices sources_;
};

}  // namespace runner::daemon
