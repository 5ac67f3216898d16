#include "runner/api/schedule_fields.h"

#include "runner/api/json_input.h"
#include "runner/api/project_checks.h"
#include "runner/base/error.h"
#include "runner/triggers/schedule_times.h"

namespace runner::api {
namespace {

constexpr std::size_t kLongestText = 255;
constexpr std::size_t kLongestRef = 1024;

/// Each alone: with another time zone or other times it would be as wrong.
void check_times(JsonInput& input, const ScheduleFields& fields, TimePoint now) {
  triggers::TimesProblem problem;
  triggers::ScheduleTimes::read(fields.cron.value_or("* * * * *"), fields.time_zone.value_or("UTC"), now,
                                problem);
  if (!problem.cron.empty()) input.complain("cron", problem.cron);
  if (!problem.time_zone.empty()) input.complain("timezone", problem.time_zone);
}

}  // namespace

void ScheduleFields::apply(storage::ScheduleRecord& schedule, TimePoint now) const {
  const storage::ScheduleRecord before = schedule;
  if (description) schedule.description = *description;
  if (cron) schedule.cron = *cron;
  if (time_zone) schedule.time_zone = *time_zone;
  if (ref) schedule.ref = *ref;
  if (active) schedule.active = *active;
  // A run that is due stays due when only its name is mended.
  const bool same = before.next_run_at && before.active == schedule.active && before.cron == schedule.cron &&
                    before.time_zone == schedule.time_zone;
  if (same) return;
  triggers::TimesProblem problem;
  const auto times = triggers::ScheduleTimes::read(schedule.cron, schedule.time_zone, now, problem);
  if (!times) throw Error(ErrorCode::invalid_input, problem.cron + problem.time_zone);
  schedule.next_run_at = times->next_after(now);
  schedule.reckoned_at = now;
}

ScheduleFields read_schedule_fields(std::string_view body, ScheduleForm form, TimePoint now) {
  JsonInput input(body);
  ScheduleFields fields;
  fields.description = input.text("description", kLongestText);
  fields.cron = input.text("cron", kLongestRef);
  if (form == ScheduleForm::creation) input.require("cron");
  fields.time_zone = input.text("timezone", kLongestText);
  fields.ref = input.text("ref", kLongestRef);
  fields.active = input.flag("active");
  const bool has_variables = input.has("variables");
  auto variables = input.variables("variables");
  if (has_variables) fields.variables = std::move(variables);
  if (form == ScheduleForm::change) fields.version = input.integer("version", 0, INT64_MAX);
  if (fields.description && has_control(*fields.description))
    input.complain("description", "may not have line breaks or other control characters");
  if (fields.ref && (has_control(*fields.ref) || fields.ref->find(' ') != std::string::npos))
    input.complain("ref", "may not have blanks or control characters; \"\" is the default branch");
  check_times(input, fields, now);
  input.finish();
  return fields;
}

}  // namespace runner::api
