#include "runner/api/deployment_diff.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "deployments/protection.h"
#include "pipelines/job_variables.h"
#include "runner/base/text.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/variable_table.h"

namespace runner::api {
namespace {

using nlohmann::json;
using storage::DeploymentRecord;
using storage::VariableRecord;

constexpr std::size_t kShownCommits = 100;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string commit_list(const std::vector<git::RangeCommit>& commits) {
  std::vector<std::string> items;
  items.reserve(commits.size());
  for (const git::RangeCommit& one : commits) {
    JsonObject item;
    item.text("sha", one.id)
        .text("author", to_utf8(one.author))
        .text("subject", to_utf8(one.subject))
        .time("at", one.at);
    items.push_back(std::move(item).take());
  }
  return json_list(items);
}

/// Values by their place: what is no mapping is one value, lists too.
void flatten(const json& value, const std::string& name, std::map<std::string, json>& found) {
  if (!value.is_object()) {
    found[name] = value;
    return;
  }
  for (const auto& [key, member] : value.items())
    flatten(member, name.empty() ? key : name + ":" + key, found);
}

/// null: it is not there.
std::string value_text(const json* value) {
  if (value == nullptr) return "null";
  return text_of(value->is_string() ? *value : json(text_of(*value)));
}

/// {"<what>": name, "change", "before", "after"} for each that differs.
std::string changes_json(const std::map<std::string, json>& before, const std::map<std::string, json>& after,
                         const char* what) {
  std::vector<std::string> items;
  const auto add = [&](const std::string& name, const char* change, const json* old, const json* now) {
    JsonObject item;
    item.text(what, name).text("change", change).raw("before", value_text(old)).raw("after", value_text(now));
    items.push_back(std::move(item).take());
  };
  for (const auto& [name, value] : before) {
    const auto now = after.find(name);
    if (now == after.end())
      add(name, "removed", &value, nullptr);
    else if (now->second != value)
      add(name, "changed", &value, &now->second);
  }
  for (const auto& [name, value] : after)
    if (!before.contains(name)) add(name, "added", nullptr, &value);
  return json_list(items);
}

/// By "build: archive" and "build: image r.example/shop"; nullopt when its plan does not say.
std::optional<std::map<std::string, json>> inputs_by_name(const DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  if (!plan.is_object() || !plan.contains("inputs") || !plan["inputs"].is_array()) return std::nullopt;
  std::map<std::string, json> found;
  for (const json& input : plan["inputs"]) {
    if (!input.is_object()) continue;
    const std::string job = input.value("job", std::string());
    if (input.contains("archive")) found[job + ": archive"] = input["archive"];
    for (const json& image : input.value("images", json::array())) {
      if (!image.is_string()) continue;
      const std::string name = image.get<std::string>();
      const std::size_t at = name.find('@');
      found[job + ": image " + name.substr(0, at)] = at == std::string::npos ? "" : name.substr(at + 1);
    }
  }
  return found;
}

/// The records that jobs of `environment` are given: of each key the one that fits best.
std::vector<VariableRecord> given_to(const std::vector<VariableRecord>& records,
                                     const std::string& environment) {
  pipelines::VariableSet set;
  std::vector<pipelines::Variable> scoped;
  for (const VariableRecord& record : records) {
    pipelines::Variable variable;
    variable.name = record.key;
    variable.source = pipelines::VariableSource::project;
    variable.environment_scope = record.scope;
    if (record.scope == "*")
      set.add(std::move(variable));
    else
      scoped.push_back(std::move(variable));
  }
  pipelines::add_scoped_variables(set, scoped, environment);
  std::vector<VariableRecord> found;
  for (const VariableRecord& record : records) {
    const pipelines::Variable* winner = set.find(record.key);
    if (winner != nullptr && winner->environment_scope == record.scope) found.push_back(record);
  }
  return found;
}

}  // namespace

std::string point_json(storage::Tx& tx, const std::optional<DeploymentRecord>& deployment) {
  if (!deployment) return "null";
  const auto environment = storage::Environments(tx).find(deployment->environment);
  JsonObject point;
  point.number("id", deployment->id)
      .number("number", deployment->number)
      .text("environment", environment ? environment->name : "")
      .text("state", deployment->state)
      .text("ref", deployment->ref)
      .text("sha", deployment->sha)
      .text("release", deployment->release)
      .text("triggered_by", deployment->triggered_by)
      .time("created_at", deployment->created_at)
      .time("finished_at", deployment->finished_at);
  return std::move(point).take();
}

std::string commits_json(Actions& actions, const storage::ProjectRecord& project,
                         const std::optional<DeploymentRecord>& base, const DeploymentRecord& deployment) {
  git::CommitRange range;
  std::string why;
  if (!base)
    why = "there is nothing before it";
  else if (base->sha.empty() || deployment.sha.empty())
    why = "it is not known which commit it was";
  else
    range = actions.commits_between(project, base->sha, deployment.sha, kShownCommits);
  if (why.empty() && !range.known)
    why = "the server's copy of the repository does not have both commits any more";
  JsonObject json;
  json.flag("known", range.known)
      .text("why", why)
      .raw("new", commit_list(range.commits))
      .size("new_total", range.commits_total)
      .raw("gone", commit_list(range.gone))
      .size("gone_total", range.gone_total)
      .size("files_changed", range.files);
  return std::move(json).take();
}

std::string inputs_diff_json(const DeploymentRecord& base, const DeploymentRecord& deployment) {
  const auto before = inputs_by_name(base), after = inputs_by_name(deployment);
  return before && after ? changes_json(*before, *after, "what") : "null";
}

std::string block_diff_json(const std::string& base, const std::string& block) {
  if (base.empty() || block.empty()) return "null";
  std::map<std::string, json> before, after;
  flatten(json::parse(base, nullptr, false), "", before);
  flatten(json::parse(block, nullptr, false), "", after);
  return changes_json(before, after, "key");
}

std::string variables_diff_json(storage::Tx& tx, const storage::Sealer& sealer,
                                const storage::ProjectRecord& project,
                                const storage::EnvironmentRecord& environment, const DeploymentRecord& base) {
  // Those for all jobs were read when its pipeline was made, those of the environment when it began.
  const TimePoint began = base.locked_at.value_or(base.created_at);
  const auto pipeline = base.pipeline ? storage::Pipelines(tx).find(*base.pipeline) : std::nullopt;
  const TimePoint planned = pipeline ? pipeline->created_at : began;
  const auto protection = deployments::parse_protection(environment.protection);
  const auto records = given_to(storage::Variables(tx, sealer).of_project(project.id),
                                protection.secrets.empty() ? environment.name : protection.secrets);
  std::vector<std::string> items;
  for (const VariableRecord& record : records) {
    const TimePoint since = record.scope == "*" ? planned : began;
    JsonObject item;
    item.text("key", record.key)
        .text("environment_scope", record.scope)
        .number("version", record.version)
        .text("change", record.created_at > since   ? "added"
                        : record.updated_at > since ? "changed"
                                                    : "unchanged");
    items.push_back(std::move(item).take());
  }
  return json_list(items);
}

}  // namespace runner::api
