#pragma once
// What the API asks of the daemon.

#include <functional>
#include <string>
#include <utility>

#include "runner/api/actions.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/schedule_clock.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

class ServiceActions final : public api::Actions {
 public:
  /// References must outlive it. `refusal`: see refuses_work().
  ServiceActions(engine::Engine& engine, ProjectWatch& watch, ScheduleClock& schedules,
                 std::function<std::string()> refusal)
      : engine_(engine), watch_(watch), schedules_(schedules), refusal_(std::move(refusal)) {}

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
  void delivery_stored(std::int64_t project) override { watch_.poke(project); }
  std::string refuses_work() override { return refusal_(); }

 private:
  engine::Engine& engine_;
  ProjectWatch& watch_;
  ScheduleClock& schedules_;
  const std::function<std::string()> refusal_;
};

}  // namespace runner::daemon
