#include "runner/daemon/service_actions.h"

#include "runner/base/error.h"

namespace runner::daemon {

std::int64_t ServiceActions::start_pipeline(const storage::ProjectRecord& project,
                                            const api::StartRequest& request) {
  Trigger trigger;
  trigger.source = request.source;
  trigger.started_by = request.started_by;
  trigger.variables = request.variables;
  trigger.predefined = request.predefined;
  trigger.priority = request.priority;
  return watch_.start_pipeline(project, request.ref, std::move(trigger));
}

api::ReachReport ServiceActions::test_project(const storage::ProjectRecord& project) {
  api::ReachReport report;
  try {
    for (const git::RemoteRef& ref : watch_.ask(project).refs) {
      if (ref.name.starts_with("refs/heads/")) ++report.branches;
      if (ref.name.starts_with("refs/tags/")) ++report.tags;
    }
    report.ok = true;
  } catch (const Error& error) {
    report.why = error.what();
  }
  return report;
}

std::optional<api::LookReport> ServiceActions::last_look(std::int64_t project) {
  const LookState state = watch_.state(project);
  if (!state.at) return std::nullopt;
  return api::LookReport{*state.at, state.ok_at, state.error};
}

}  // namespace runner::daemon
