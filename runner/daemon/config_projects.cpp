#include "runner/daemon/config_projects.h"

#include <algorithm>
#include <utility>

#include "runner/api/project_checks.h"
#include "runner/base/text.h"
#include "runner/daemon/config_map.h"
#include "runner/forge/forge.h"
#include "runner/storage/configured_table.h"
#include "runner/storage/names.h"
#include "runner/triggers/schedule_times.h"

namespace runner::daemon {
namespace {

using pipelines::Diagnostics;
using pipelines::Node;

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestText = 4096;

std::string name_problem(const std::string& name) {
  if (name.empty() || name.size() > kLongestName) return "must have 1 to 255 bytes";
  return api::has_control(name) ? "may not have line breaks or other control characters" : "";
}

std::string ref_problem(const std::string& ref) {
  return ref.empty() || ref.size() > kLongestText || api::has_control(ref) ||
                 ref.find(' ') != std::string::npos
             ? "names no branch and no tag; leave it out for the default branch"
             : "";
}

std::string user_problem(const std::string& name) {
  return name.empty() || name.size() > kLongestName || api::has_control(name) ? "is no user name" : "";
}

/// "project 'shop'", or what is known of it.
std::string owner_of(const Node& node, std::string_view what, const std::string& above) {
  const Node* name = node.is_map() ? node.find("name") : nullptr;
  std::string owner(what);
  if (name != nullptr && name->is_string()) owner += " " + in_quotes(name->text());
  return above.empty() ? owner : above + ", " + owner;
}

ConfigSchedule read_schedule(const Node& node, const std::string& above, TimePoint now, Diagnostics& out) {
  ConfigMap map(node, owner_of(node, "schedule", above), out);
  ConfigSchedule schedule;
  map.require("name", "such as 'name: nightly'");
  schedule.name = map.checked_text("name", name_problem).value_or("");
  map.require("cron", "such as \"cron: '0 3 * * *'\" for each night at three");
  const auto cron = map.text("cron");
  const auto zone = map.text("timezone");
  triggers::TimesProblem problem;
  triggers::ScheduleTimes::read(cron.value_or("* * * * *"), zone.value_or("UTC"), now, problem);
  if (!problem.cron.empty()) map.complain(map.where("cron"), "'cron': " + problem.cron);
  if (!problem.time_zone.empty()) map.complain(map.where("timezone"), "'timezone': " + problem.time_zone);
  schedule.cron = cron.value_or("");
  schedule.time_zone = zone.value_or("UTC");
  schedule.ref = map.checked_text("ref", ref_problem).value_or("");
  schedule.active = map.flag("active").value_or(true);
  schedule.variables = map.variables("variables");
  map.finish();
  return schedule;
}

void read_schedules(ConfigMap& map, ConfigProject& project, TimePoint now) {
  const Node* list = map.list("schedules");
  if (list == nullptr) return;
  for (const Node* item : list->items()) {
    ConfigSchedule schedule = read_schedule(*item, map.owner(), now, map.out());
    const bool known = std::any_of(project.schedules.begin(), project.schedules.end(),
                                   [&](const ConfigSchedule& one) { return one.name == schedule.name; });
    if (known && !schedule.name.empty()) {
      map.complain(item->find("name")->range(), "there are two schedules " + in_quotes(schedule.name),
                   "rename or remove one");
    }
    project.schedules.push_back(std::move(schedule));
  }
}

void read_credentials(ConfigMap& map, ConfigProject& project, ConfigSecrets& secrets) {
  using Form = ConfigSecrets::Form;
  project.token = secrets.take(map, "token", Form::line);
  project.ssh_key = secrets.take(map, "ssh_key", Form::lines);
  project.webhook_secret = secrets.take(map, "webhook_secret", Form::line);
  project.forge_token = secrets.take(map, "forge_token", Form::line);
  project.username = map.checked_text("username", user_problem);
  const auto given = [&](const std::string& name) {
    return map.get(name + "_file") != nullptr || map.get(name + "_env") != nullptr;
  };
  const std::string key = map.get("ssh_key_file") != nullptr ? "ssh_key_file" : "ssh_key_env";
  if (given("token") && given("ssh_key"))
    map.complain(map.where(key), "a project has a token or a key, not both", "leave one of them out");
  if (project.username && !given("token") && !given("ssh_key"))
    map.complain(map.where("username"), "'username' goes with a token or a key, and there is none",
                 "add 'token_file' or 'ssh_key_file'");
  if (!project.ssh_key) return;
  const std::string problem = api::key_problem(*project.ssh_key);
  if (!problem.empty()) map.complain(map.where(key), "what '" + key + "' names " + problem);
}

void take_patterns(ConfigMap& map, std::string_view key, std::vector<std::string>& patterns) {
  const auto given = map.texts(key);
  if (!given) return;
  const auto odd = [](const std::string& pattern) { return pattern.empty() || api::has_control(pattern); };
  if (std::any_of(given->begin(), given->end(), odd)) {
    map.complain(map.where(key), "'" + std::string(key) +
                                     "': a pattern may not be empty or have control "
                                     "characters");
  }
  patterns = *given;
}

void read_forge(ConfigMap& map, ConfigProject& project) {
  project.forge = map.choice("forge", {"auto", "github", "gitlab", "gitea", "none"});
  if (project.forge == "auto") project.forge = "";
  project.forge_api = map.checked_text("forge_api", forge::api_problem);
  project.forge_repository = map.checked_text("forge_repository", forge::repository_problem);
  project.merge_requests = map.flag("merge_requests");
}

void read_resource_groups(ConfigMap& map, ConfigProject& project) {
  const Node* groups = map.mapping("resource_groups", "names with process modes");
  if (groups == nullptr) return;
  const std::vector<std::string> modes{"unordered", "oldest_first", "newest_first", "newest_ready_first"};
  for (const pipelines::MapEntry& group : groups->entries()) {
    const std::string name(group.key);
    const auto mode =
        group.value->is_string() ? engine::parse_resource_mode(group.value->text()) : std::nullopt;
    if (const std::string problem = name_problem(name); !problem.empty()) {
      map.complain(group.key_range, "'resource_groups': a name " + problem);
    } else if (mode) {
      project.resource_groups.emplace(name, *mode);
    } else if (group.value->is_scalar()) {
      map.complain_choice(name, *group.value, modes);
    } else {
      map.complain(group.value->range(), in_quotes(name) + " must be a process mode, and is " +
                                             std::string(describe(group.value->kind())));
    }
  }
}

ConfigProject read_project(const Node& node, std::chrono::milliseconds poll_interval, ConfigSecrets& secrets,
                           TimePoint now, Diagnostics& out) {
  ConfigMap map(node, owner_of(node, "project", ""), out);
  ConfigProject project;
  storage::ProjectRecord& record = project.record;
  map.require("name", "such as 'name: shop'");
  record.name = map.checked_text("name",
                                 [](const std::string& name) {
                                   const auto problem = storage::project_name_problem(name);
                                   return problem ? "cannot be this: " + *problem : std::string();
                                 })
                    .value_or("");
  map.require("url", "such as 'url: https://git.example.com/team/shop.git'");
  record.url = map.checked_text("url", api::url_problem).value_or("");
  take_patterns(map, "branches", record.branches);
  take_patterns(map, "tags", record.tags);
  if (const auto file = map.checked_text("pipeline_file", api::file_problem)) record.pipeline_file = *file;
  record.poll_interval = map.duration("poll_interval", true).value_or(poll_interval);
  record.paused = map.flag("paused").value_or(false);
  project.priority = map.integer("priority", -storage::kHighestPriority, storage::kHighestPriority);
  read_credentials(map, project, secrets);
  read_forge(map, project);
  read_resource_groups(map, project);
  read_schedules(map, project, now);
  map.finish();
  return project;
}

}  // namespace

std::vector<std::string> ConfigProject::fields() const {
  std::vector<std::string> fields{"url",   "branches", "tags", "pipeline_file", "poll_interval_seconds",
                                  "paused"};
  if (token || ssh_key) fields.insert(fields.end(), {"username", "token", "ssh_key"});
  const auto add = [&](const char* field, bool is_said) {
    if (is_said) fields.emplace_back(field);
  };
  add("webhook_secret", webhook_secret.has_value());
  add("forge_token", forge_token.has_value());
  add("forge", forge.has_value());
  add("forge_api", forge_api.has_value());
  add("forge_repository", forge_repository.has_value());
  add("merge_requests", merge_requests.has_value());
  add("priority", priority.has_value());
  for (const auto& [name, mode] : resource_groups) fields.push_back(storage::resource_group_field(name));
  return fields;
}

std::vector<ConfigProject> read_config_projects(const Node* list, std::chrono::milliseconds poll_interval,
                                                ConfigSecrets& secrets, TimePoint now, Diagnostics& out) {
  std::vector<ConfigProject> projects;
  if (list == nullptr) return projects;
  for (const Node* item : list->items()) {
    ConfigProject project = read_project(*item, poll_interval, secrets, now, out);
    const std::string& name = project.record.name;
    const bool known = std::any_of(projects.begin(), projects.end(),
                                   [&](const ConfigProject& one) { return one.record.name == name; });
    if (known && !name.empty()) {
      out.error("config-value", item->find("name")->range(), "there are two projects " + in_quotes(name),
                "rename or remove one");
    }
    projects.push_back(std::move(project));
  }
  return projects;
}

}  // namespace runner::daemon
