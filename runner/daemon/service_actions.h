#pragma once
// What the API asks of the daemon.

#include <functional>
#include <string>
#include <utility>

#include "runner/api/actions.h"
#include "runner/daemon/deploy_desk.h"
#include "runner/daemon/deploy_sheets.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/schedule_clock.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

class ServiceActions final : public api::Actions {
 public:
  /// What it says of itself; see api::Actions.
  struct Told {
    std::function<std::string()> refusal;
    std::function<api::HealthAnswer(const api::HealthQuestion&)> health;
    std::function<std::string()> metrics;
  };
  /// References must outlive it.
  ServiceActions(engine::Engine& engine, ProjectWatch& watch, ScheduleClock& schedules, DeployDesk& desk,
                 DeploySheets sheets, Told told)
      : engine_(engine),
        watch_(watch),
        schedules_(schedules),
        desk_(desk),
        sheets_(std::move(sheets)),
        told_(std::move(told)) {}

  std::int64_t start_pipeline(const storage::ProjectRecord& project,
                              const api::StartRequest& request) override;
  void cancel_pipeline(std::int64_t pipeline) override { engine_.cancel_stored(pipeline); }
  void retry_pipeline(std::int64_t pipeline) override { engine_.retry(pipeline); }
  void play_job(std::int64_t pipeline, std::size_t plan_index) override {
    engine_.play_stored(pipeline, plan_index);
  }
  void cancel_job(std::int64_t pipeline, std::size_t plan_index) override {
    engine_.cancel_job(pipeline, plan_index);
  }
  api::ReachReport test_project(const storage::ProjectRecord& project) override;
  void set_resource_mode(const storage::ProjectRecord& project, const std::string& group,
                         engine::ResourceMode mode) override {
    engine_.set_resource_mode({project.name, group}, mode);
  }
  std::optional<api::LookReport> last_look(std::int64_t project) override;
  void projects_changed() override { watch_.reload(); }
  void schedules_changed() override { schedules_.changed(); }
  void environments_changed() override { desk_.changed(); }
  std::optional<api::DeploymentWork> deployment_work(const storage::DeploymentRecord& deployment,
                                                     const deployments::Snapshot& before) override {
    return sheets_.work(deployment, before);
  }
  git::CommitRange commits_between(const storage::ProjectRecord& project, const std::string& from,
                                   const std::string& to, std::size_t limit) override {
    return sheets_.commits(project, from, to, limit);
  }
  void delivery_stored(std::int64_t project) override { watch_.poke(project); }
  std::string refuses_work() override { return told_.refusal(); }
  api::HealthAnswer health(const api::HealthQuestion& question) override { return told_.health(question); }
  std::string metrics() override { return told_.metrics(); }

 private:
  engine::Engine& engine_;
  ProjectWatch& watch_;
  ScheduleClock& schedules_;
  DeployDesk& desk_;
  const DeploySheets sheets_;
  const Told told_;
};

}  // namespace runner::daemon
