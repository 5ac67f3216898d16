// `runner schedule ...`: pipelines that a server starts by the clock.

#include <array>
#include <ctime>
#include <limits>
#include <map>

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_watch.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

/// "2026-01-31 03:00", in the time of this machine ($TZ); with `zone` also "CET".
std::string local_text(const std::optional<TimePoint>& time, bool zone) {
  if (!time) return {};
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
  std::tm parts{};
  std::array<char, 64> text{};
  if (::localtime_r(&seconds, &parts) == nullptr) return format_iso8601(*time);
  const std::size_t size =
      std::strftime(text.data(), text.size(), zone ? "%Y-%m-%d %H:%M:%S %Z" : "%Y-%m-%d %H:%M", &parts);
  return {text.data(), size};
}

std::string state_of(const ScheduleAnswer& schedule) {
  if (!schedule.active) return "off";
  return schedule.retry_at ? "failing" : "on";
}

std::string ref_text(const ScheduleAnswer& schedule) {
  return schedule.ref.empty() ? "(default)" : schedule.ref;
}

std::string body_of(const ScheduleOptions& options) {
  std::string body;
  JsonWriter json([&](std::string_view text) { body += text; });
  json.begin_object();
  if (options.description) json.member("description", *options.description);
  if (options.cron) json.member("cron", *options.cron);
  if (options.time_zone) json.member("timezone", *options.time_zone);
  if (options.ref) json.member("ref", *options.ref);
  if (options.active) json.member("active", *options.active);
  if (!options.variables.empty() || options.no_variables) {
    // The last of equal names counts, as in 'runner exec'.
    std::map<std::string, std::string> variables;
    for (const auto& [name, value] : options.variables) variables[name] = value;
    json.key("variables").begin_object();
    for (const auto& [name, value] : variables) json.member(name, value);
    json.end_object();
  }
  json.end_object().flush();
  return body;
}

class ScheduleCommand {
 public:
  explicit ScheduleCommand(const ScheduleOptions& options)
      : options_(options), desk_(options.common), path_("/schedules/" + std::to_string(options.id)) {}

  int run() {
    switch (options_.action) {
      case ScheduleAction::add:
        return show(desk_.ask("POST", list_path(options_.project), body_of(options_)), "added");
      case ScheduleAction::show:
        return show(desk_.ask("GET", path_), "");
      case ScheduleAction::edit:
        return show(desk_.ask("PATCH", path_, body_of(options_)), "changed");
      case ScheduleAction::remove:
        return remove();
      case ScheduleAction::run:
        return start();
      case ScheduleAction::list:
        break;
    }
    return list();
  }

 private:
  static std::string list_path(const std::string& project) {
    return "/projects/" + url_encode(project) + "/schedules";
  }

  std::vector<std::string> projects() {
    if (!options_.project.empty()) return {options_.project};
    std::vector<std::string> names;
    desk_.each_page("/projects", [&](const std::string& page) {
      for (const ProjectAnswer& project : read_projects(page)) names.push_back(project.name);
      return true;
    });
    return names;
  }

  int list() {
    std::vector<std::string> items;
    std::vector<ScheduleAnswer> found;
    for (const std::string& project : projects()) {
      desk_.each_page(list_path(project), [&](const std::string& page) {
        for (ScheduleAnswer& schedule : read_schedules(page)) found.push_back(std::move(schedule));
        for (std::string& item : clean_items(page)) items.push_back(std::move(item));
        return true;
      });
    }
    if (options_.common.json) {
      say("[" + join(items, ",") + "]\n");
      return exit_success;
    }
    return print_list(found);
  }

  int print_list(const std::vector<ScheduleAnswer>& found) {
    if (options_.common.quiet) {
      for (const ScheduleAnswer& schedule : found) say(std::to_string(schedule.id) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("there are no schedules; 'runner schedule add' makes one");
    std::vector<std::vector<std::string>> rows;
    rows.reserve(found.size());
    for (const ScheduleAnswer& schedule : found) {
      rows.push_back({std::to_string(schedule.id), schedule.project, state_of(schedule), schedule.cron,
                      schedule.time_zone, ref_text(schedule), local_text(schedule.next_run_at, false),
                      local_text(schedule.last_run_at, false), schedule.description});
    }
    say(table_text(desk_.screen(),
                   {{"ID", Column::Align::right},
                    {"PROJECT"},
                    {"STATE"},
                    {"TIMES"},
                    {"ZONE"},
                    {"REF"},
                    {"NEXT RUN"},
                    {"LAST RUN"},
                    {"DESCRIPTION"}},
                   rows));
    return exit_success;
  }

  int show(const std::string& body, std::string_view done) {
    const ScheduleAnswer schedule = read_schedule(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
      return exit_success;
    }
    if (!done.empty()) {
      const std::string next = local_text(schedule.next_run_at, true);
      say(std::string(done) + " schedule " + std::to_string(schedule.id) + " of " +
          in_quotes(printable(schedule.project)) + (next.empty() ? ", which is off" : ", next run " + next) +
          "\n");
      return exit_success;
    }
    std::vector<std::pair<std::string, std::string>> facts{
        {"schedule", std::to_string(schedule.id) + " of " + printable(schedule.project)},
        {"description", printable(schedule.description)},
        {"state", state_of(schedule)},
        {"times", printable(schedule.cron) + " in " + printable(schedule.time_zone)},
        {"ref", printable(ref_text(schedule))},
        {"variables", schedule.variables.empty() ? "none" : printable(join(schedule.variables, ", "))},
        {"owner", printable(schedule.owner)},
        {"next run", local_text(schedule.next_run_at, true)},
        {"last run", local_text(schedule.last_run_at, true)}};
    if (schedule.last_pipeline) facts.emplace_back("last pipeline", std::to_string(*schedule.last_pipeline));
    if (!schedule.last_error.empty()) facts.emplace_back("last error", printable(schedule.last_error));
    if (schedule.retry_at) facts.emplace_back("next try", local_text(schedule.retry_at, true));
    say(facts_text(desk_.screen(), facts));
    return exit_success;
  }

  int remove() {
    desk_.ask("DELETE", path_);
    if (options_.common.json) {
      say("{\"removed\":" + std::to_string(options_.id) + "}\n");
    } else {
      say("removed schedule " + std::to_string(options_.id) + "\n");
    }
    return exit_success;
  }

  int start() {
    const std::string answer = desk_.ask("POST", path_ + "/play");
    const PipelineAnswer pipeline = read_pipeline(answer);
    if (options_.common.json && !options_.wait) {
      say(clean_json(answer) + "\n");
      return exit_success;
    }
    if (!options_.common.json) {
      say("pipeline " + std::to_string(pipeline.id) + " of " + in_quotes(printable(pipeline.project)) +
          (pipeline.ref.empty() ? "" : ", " + printable(pipeline.ref)) + "\n");
    }
    return options_.wait ? watch_pipeline(desk_, pipeline.id, options_.common.json) : int{exit_success};
  }

  const ScheduleOptions& options_;
  ClientDesk desk_;
  std::string path_;
};

}  // namespace

int run_schedule(const ScheduleOptions& options) {
  return ScheduleCommand(options).run();
}

}  // namespace runner::cli
