#include "runner/daemon/config_apply.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/audit_table.h"
#include "runner/storage/configured_table.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/resource_group_table.h"
#include "runner/storage/schedule_table.h"
#include "runner/triggers/schedule_times.h"

namespace runner::daemon {
namespace {

using storage::Configured;
using storage::ConfiguredKind;
using storage::CredentialKind;
using storage::ProjectRecord;
using storage::ScheduleRecord;
using storage::Schedules;

bool same(const ProjectRecord& a, const ProjectRecord& b) {
  return a.url == b.url && a.branches == b.branches && a.tags == b.tags &&
         a.pipeline_file == b.pipeline_file && a.poll_interval == b.poll_interval && a.paused == b.paused &&
         a.forge == b.forge && a.forge_api == b.forge_api && a.forge_repository == b.forge_repository &&
         a.merge_requests == b.merge_requests && a.priority == b.priority;
}

bool same(const ScheduleRecord& a, const ScheduleRecord& b) {
  return a.description == b.description && a.cron == b.cron && a.time_zone == b.time_zone && a.ref == b.ref &&
         a.active == b.active && a.owner == b.owner;
}

/// The fields that the file kept when it was applied last.
using Fields = std::set<std::string>;

/// Of a field that the file may leave out: what it said before and says no more is as if nobody had ever said
/// it; what it never said is people's.
template <typename T>
void settle(T& field, const std::optional<T>& said, const char* name, const Fields& kept) {
  if (said) {
    field = *said;
  } else if (kept.contains(name)) {
    field = T();
  }
}

/// One application, in one transaction.
class Application {
 public:
  Application(storage::Tx& tx, const storage::Sealer& sealer, const ConfigFile& config, TimePoint now)
      : tx_(tx), sealer_(sealer), config_(config), now_(now) {}

  std::vector<std::string> run() {
    std::set<std::int64_t> there;
    for (const ConfigProject& project : config_.projects) there.insert(apply(project));
    for (const auto& record : Configured(tx_).all()) {
      if (record.kind == ConfiguredKind::project && !there.contains(record.id)) let_go(record);
    }
    return std::move(changes_);
  }

 private:
  std::int64_t apply(const ConfigProject& wanted) {
    storage::Projects projects(tx_);
    const auto found = projects.find(wanted.record.name);
    const Fields kept = found ? kept_of(found->id) : Fields();
    ProjectRecord next = wanted_record(wanted, found.value_or(ProjectRecord()), kept);
    if (!found) {
      next.created_at = now_;
      next.id = projects.insert(next);
      say(next, "project.created", "is added");
    } else {
      next.id = found->id;
      next.created_at = found->created_at;
      if (!same(*found, next)) {
        // Cannot be lost: the transaction writes.
        projects.replace(next, found->version);
        say(next, "project.changed", "is changed");
      }
    }
    if (apply_credentials(wanted, next.id)) say(next, "project.changed", "has other credentials");
    apply_resource_groups(wanted, next, kept);
    Configured(tx_).put(
        {ConfiguredKind::project, next.id, next.id, next.name, config_.path.native(), wanted.fields()});
    apply_schedules(wanted, next);
    return next.id;
  }

  Fields kept_of(std::int64_t project) {
    const auto configured = Configured(tx_).find(ConfiguredKind::project, project);
    return configured ? Fields(configured->fields.begin(), configured->fields.end()) : Fields();
  }

  /// `is`: as it is now.
  static ProjectRecord wanted_record(const ConfigProject& wanted, const ProjectRecord& is,
                                     const Fields& kept) {
    ProjectRecord next = wanted.record;
    next.forge = is.forge;
    next.forge_api = is.forge_api;
    next.forge_repository = is.forge_repository;
    next.merge_requests = is.merge_requests;
    next.priority = is.priority;
    settle(next.forge, wanted.forge, "forge", kept);
    settle(next.forge_api, wanted.forge_api, "forge_api", kept);
    settle(next.forge_repository, wanted.forge_repository, "forge_repository", kept);
    settle(next.merge_requests, wanted.merge_requests, "merge_requests", kept);
    settle(next.priority, wanted.priority, "priority", kept);
    return next;
  }

  void apply_resource_groups(const ConfigProject& wanted, const ProjectRecord& project, const Fields& kept) {
    std::map<std::string, std::string> modes;
    const std::string prefix = storage::resource_group_field("");
    for (const std::string& field : kept) {
      if (field.starts_with(prefix))
        modes[field.substr(prefix.size())] = to_string(engine::ResourceMode::unordered);
    }
    for (const auto& [name, mode] : wanted.resource_groups) modes[name] = to_string(mode);
    std::map<std::string, std::string> are;
    for (const auto& record : storage::ResourceGroupModes(tx_).of_project(project.id))
      are[record.name] = record.mode;
    for (const auto& [name, mode] : modes) {
      const auto is = are.find(name);
      if (is != are.end() && is->second == mode) continue;
      storage::ResourceGroupModes(tx_).put({project.id, name, mode});
      say(project, "project.changed", "has the resource group " + in_quotes(name) + " " + mode);
    }
  }

  /// Whether something changed.
  bool apply_credentials(const ConfigProject& wanted, std::int64_t project) {
    bool changed = false;
    const auto fetching = {CredentialKind::token, CredentialKind::password, CredentialKind::ssh_key};
    const std::string user = wanted.username.value_or("");
    if (wanted.token) changed = put(project, CredentialKind::token, user, *wanted.token, fetching);
    if (wanted.ssh_key) changed = put(project, CredentialKind::ssh_key, user, *wanted.ssh_key, fetching);
    const auto renew = [&](CredentialKind kind, const std::optional<std::string>& secret) {
      if (secret && put(project, kind, "", *secret, {kind})) changed = true;
    };
    renew(CredentialKind::webhook_secret, wanted.webhook_secret);
    renew(CredentialKind::forge_token, wanted.forge_token);
    return changed;
  }

  /// The one of the kinds `others`; those are removed.
  bool put(std::int64_t project, CredentialKind kind, const std::string& user, const std::string& secret,
           std::initializer_list<CredentialKind> others) {
    storage::Credentials credentials(tx_, sealer_);
    bool there = false, changed = false;
    for (const auto& each : credentials.of_project(project)) {
      if (std::find(others.begin(), others.end(), each.kind) == others.end()) continue;
      const auto sealed = credentials.open(each.id);
      if (!there && each.kind == kind && each.username == user && sealed && sealed->text() == secret) {
        there = true;
        continue;
      }
      credentials.remove(each.id);
      changed = true;
    }
    if (there) return changed;
    credentials.insert({.id = 0, .project = project, .kind = kind, .username = user, .created_at = now_},
                       secret);
    return true;
  }

  void apply_schedules(const ConfigProject& wanted, const ProjectRecord& project) {
    std::map<std::string, std::int64_t> had;
    for (const auto& record : Configured(tx_).of_project(project.id)) {
      if (record.kind == ConfiguredKind::schedule) had.emplace(record.name, record.id);
    }
    for (const ConfigSchedule& schedule : wanted.schedules) {
      const auto known = had.find(schedule.name);
      const std::int64_t id = apply(schedule, project, known == had.end() ? 0 : known->second);
      if (known != had.end()) had.erase(known);
      Configured(tx_).put(
          {ConfiguredKind::schedule, id, project.id, schedule.name, config_.path.native(), {}});
    }
    for (const auto& [name, id] : had) {
      Schedules(tx_, sealer_).remove(id);
      Configured(tx_).remove(ConfiguredKind::schedule, id);
      say(project, "schedule.removed", "has no schedule " + in_quotes(name) + " any more");
    }
  }

  std::int64_t apply(const ConfigSchedule& wanted, const ProjectRecord& project, std::int64_t id) {
    Schedules schedules(tx_, sealer_);
    const auto found = schedules.find(id);
    ScheduleRecord next = found.value_or(ScheduleRecord());
    next.project = project.id;
    next.description = wanted.name;
    next.cron = wanted.cron;
    next.time_zone = wanted.time_zone;
    next.ref = wanted.ref;
    next.active = wanted.active;
    next.owner = kConfigOwner;
    const std::string variables = triggers::variables_text(wanted.variables);
    // A run that is due stays due unless its times are others.
    const bool new_times = !found || found->cron != next.cron || found->time_zone != next.time_zone ||
                           found->active != next.active || !found->next_run_at;
    if (new_times) reckon(next);
    if (!found) {
      next.created_at = now_;
      next.id = schedules.insert(next, variables);
      say(project, "schedule.created", "has a schedule " + in_quotes(wanted.name));
    } else if (const auto old = schedules.variables(id);
               new_times || !same(*found, next) || !old || old->text() != variables) {
      schedules.replace(next, found->version, variables);
      say(project, "schedule.changed", "has another schedule " + in_quotes(wanted.name));
    }
    return next.id;
  }

  void reckon(ScheduleRecord& schedule) const {
    triggers::TimesProblem problem;
    const auto times = triggers::ScheduleTimes::read(schedule.cron, schedule.time_zone, now_, problem);
    if (!times) throw Error(ErrorCode::invalid_input, problem.cron + problem.time_zone);
    schedule.next_run_at = times->next_after(now_);
    schedule.reckoned_at = now_;
  }

  void let_go(const storage::ConfiguredRecord& record) {
    storage::Projects projects(tx_);
    Configured(tx_).remove_of_project(record.project);
    auto project = projects.find(record.project);
    if (!project || project->paused) return;
    project->paused = true;
    projects.replace(*project, project->version);
    say(*project, "project.changed", "is paused, as it is in the file no more; its history stays");
  }

  void say(const ProjectRecord& project, const char* kind, const std::string& what) {
    changes_.push_back("project " + in_quotes(project.name) + " " + what);
    storage::AuditRecord record;
    record.at = now_;
    record.actor = storage::kAuditSelf;
    record.source = config_.path.native();
    record.action = kind;
    record.object = "project " + project.name;
    record.project = project.name;
    record.reason = what;
    storage::AuditLog(tx_).append(std::move(record));
    storage::LogRecord event;
    event.project = project.id;
    event.kind = kind;
    event.payload = nlohmann::json{{"project", project.name}, {"by", config_.path.native()}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
    event.at = now_;
    storage::EventLog(tx_).append(event);
  }

  storage::Tx& tx_;
  const storage::Sealer& sealer_;
  const ConfigFile& config_;
  const TimePoint now_;
  std::vector<std::string> changes_;
};

}  // namespace

std::vector<std::string> apply_config(storage::Store& store, const storage::Sealer& sealer,
                                      const ConfigFile& config, TimePoint now) {
  std::vector<std::string> changes;
  store.write([&](storage::Tx& tx) { changes = Application(tx, sealer, config, now).run(); });
  return changes;
}

void forget_config(storage::Store& store) {
  store.write([](storage::Tx& tx) { Configured(tx).clear(); });
}

}  // namespace runner::daemon
