#include "runner/daemon/schedule_runs.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/access_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/names.h"
#include "runner/storage/role_table.h"
#include "runner/triggers/schedule_times.h"

namespace runner::daemon {
namespace {

using storage::ProjectRecord;
using storage::ScheduleRecord;
using storage::Schedules;

constexpr std::chrono::milliseconds kFirstRetry{30'000};
// As cron(8): clocks that are set back by less are followed without a run twice.
constexpr std::chrono::hours kSmallStep{3};
// A machine without a battery comes up with a clock from long ago and sets it soon: nothing is reckoned from
// that.
constexpr TimePoint kNoEarlier{std::chrono::sys_days{std::chrono::January / 1 / 2026}};

/// Thrown in the transaction that makes a pipeline: another has made it, or its time was changed.
class Taken final : public std::exception {
 public:
  const char* what() const noexcept override { return "the schedule was changed meanwhile"; }
};

std::chrono::milliseconds back_off(std::int64_t failures) {
  std::chrono::milliseconds wait = kFirstRetry;
  for (std::int64_t i = 0; i < failures && wait < storage::kLongestRetry; ++i) wait *= 2;
  return std::min<std::chrono::milliseconds>(wait, storage::kLongestRetry);
}

std::string name_of(const ScheduleRecord& schedule) {
  return "schedule " + std::to_string(schedule.id) +
         (schedule.description.empty() ? "" : " " + in_quotes(schedule.description));
}

/// Why nobody has it run any more; "" when all is well. Who came by the socket is no user of the store.
std::string owner_problem(storage::Tx& tx, const ScheduleRecord& schedule) {
  const auto owner = storage::Users(tx).find(schedule.owner);
  if (!owner) return {};
  const std::string mend = "; give them back what they had, or add the schedule anew as somebody else";
  if (owner->disabled_at) return "its owner " + in_quotes(schedule.owner) + " is disabled" + mend;
  const auto project = storage::Projects(tx).find(schedule.project);
  if (project && !storage::rights_now(tx, *owner).may(storage::Permission::deploy, project->name))
    return "its owner " + in_quotes(schedule.owner) + " may not start pipelines any more" + mend;
  return {};
}

triggers::ScheduleTimes times_of(const ScheduleRecord& schedule, TimePoint now) {
  triggers::TimesProblem problem;
  auto times = triggers::ScheduleTimes::read(schedule.cron, schedule.time_zone, now, problem);
  if (!times) throw Error(ErrorCode::invalid_input, problem.cron + problem.time_zone);
  return *std::move(times);
}

}  // namespace

struct ScheduleRuns::Opened {
  ProjectRecord project;
  std::map<std::string, std::string> variables;
  std::optional<TimePoint> next;
  TimePoint now;
  std::string problem;  // why it does not run
};

const char* to_string(RunResult result) noexcept {
  constexpr std::array<const char*, kRunResults> kNames{"made",    "invalid", "none",
                                                        "skipped", "put_off", "gone"};
  return kNames.at(static_cast<std::size_t>(result));
}

std::vector<ScheduleRecord> ScheduleRuns::due() {
  std::vector<ScheduleRecord> due;
  parts_.store.read([&](storage::Tx& tx) {
    due = Schedules(tx, parts_.sealer).due(parts_.clock.now(), storage::kMaxPage);
  });
  return due;
}

std::optional<TimePoint> ScheduleRuns::next() {
  std::optional<TimePoint> next;
  parts_.store.read(
      [&](storage::Tx& tx) { next = Schedules(tx, parts_.sealer).next_due(parts_.clock.now()); });
  return next;
}

std::optional<ScheduleRuns::Opened> ScheduleRuns::open(const ScheduleRecord& schedule) {
  std::optional<Opened> opened;
  parts_.store.read([&](storage::Tx& tx) {
    opened.reset();
    const auto project = storage::Projects(tx).find(schedule.project);
    const auto variables = Schedules(tx, parts_.sealer).variables(schedule.id);
    if (!project || !variables) return;
    opened.emplace();
    opened->project = *project;
    opened->variables = triggers::read_variables(variables->text());
    opened->problem = project->paused ? "the project is paused" : owner_problem(tx, schedule);
  });
  return opened;
}

RunResult ScheduleRuns::run(const ScheduleRecord& schedule) {
  RunResult result = RunResult::gone;
  failpoint("schedules.due");
  try {
    result = make(schedule);
  } catch (const Taken& taken) {
    log_info("schedules", name_of(schedule) + ": " + taken.what());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled)
      return RunResult::gone;  // the server ends; the next one runs it
    result = put_off(schedule, error.what());
  } catch (const std::exception& error) {
    result = put_off(schedule, error.what());
  }
  ++counts_[static_cast<std::size_t>(result)];
  return result;
}

RunResult ScheduleRuns::make(const ScheduleRecord& schedule) {
  auto opened = open(schedule);
  if (!opened) return RunResult::gone;
  const TimePoint due = schedule.next_run_at.value();
  opened->now = parts_.clock.now();
  opened->next = times_of(schedule, opened->now).next_after(std::max(due, opened->now));
  if (!opened->problem.empty()) return skip(schedule, *opened);
  Trigger trigger;
  trigger.source = "schedule";
  trigger.started_by = schedule.owner;
  trigger.variables = std::move(opened->variables);
  trigger.predefined = {{"CI_PIPELINE_SCHEDULE_DESCRIPTION", schedule.description}};
  const Settle settle = [&](storage::Tx& tx, std::optional<std::int64_t> pipeline, const std::string& why) {
    if (!Schedules(tx, parts_.sealer)
             .advance(schedule.id, due, opened->next, opened->now, {pipeline, storage::storable_text(why)}))
      throw Taken();
  };
  const Made made = parts_.make(opened->project, schedule.ref, std::move(trigger), settle);
  failpoint("schedules.made");
  const std::string what = opened->project.name + ": " + name_of(schedule) + ": ";
  if (made.failed) {
    log_warn("schedules", what + made.why);
    return RunResult::invalid;
  }
  log_info("schedules", what + (made.pipeline ? "pipeline " + std::to_string(*made.pipeline) : made.why));
  return made.pipeline ? RunResult::made : RunResult::none;
}

RunResult ScheduleRuns::skip(const ScheduleRecord& schedule, const Opened& opened) {
  parts_.store.write([&](storage::Tx& tx) {
    if (!Schedules(tx, parts_.sealer)
             .advance(schedule.id, schedule.next_run_at.value(), opened.next, opened.now,
                      {{}, storage::storable_text(opened.problem)}))
      throw Taken();
  });
  log_warn("schedules",
           opened.project.name + ": " + name_of(schedule) + " does not run now: " + opened.problem);
  return RunResult::skipped;
}

RunResult ScheduleRuns::put_off(const ScheduleRecord& schedule, const std::string& why) {
  const auto wait = back_off(schedule.failures);
  bool current = false;
  parts_.store.write([&](storage::Tx& tx) {
    current = Schedules(tx, parts_.sealer)
                  .put_off(schedule.id, schedule.next_run_at.value(), parts_.clock.now() + wait,
                           storage::storable_text(why));
  });
  if (!current) return RunResult::gone;
  // The same for hours is said once; the record has it anyway.
  const std::string text = name_of(schedule) + " could not be run: " + why;
  if (schedule.last_error != storage::storable_text(why))
    log_warn("schedules", text + "; again in " + format_duration(wait));
  else
    log_debug("schedules", text);
  return RunResult::put_off;
}

std::size_t ScheduleRuns::follow_clock() {
  const TimePoint now = parts_.clock.now();
  if (now < kNoEarlier) return 0;
  std::vector<ScheduleRecord> ahead;
  parts_.store.read([&](storage::Tx& tx) {
    ahead = Schedules(tx, parts_.sealer).reckoned_after(now + kSmallStep, storage::kMaxPage);
  });
  std::size_t count = 0;
  for (const ScheduleRecord& schedule : ahead) {
    if (!schedule.next_run_at) continue;
    try {
      const auto next = times_of(schedule, now).next_after(now);
      parts_.store.write([&](storage::Tx& tx) {
        Schedules(tx, parts_.sealer).reckon_anew(schedule.id, *schedule.next_run_at, next, now);
      });
      ++count;
    } catch (const Error& error) {
      // Its zone cannot be read: it is put off when its time comes, and the reason is in its record then.
      log_warn("schedules", name_of(schedule) + ": " + error.what());
    }
  }
  if (count > 0) {
    log_warn("schedules", "the clock was set back: " + format_count(count, "schedule") +
                              " reckoned anew from what it shows now");
  }
  return count;
}

}  // namespace runner::daemon
