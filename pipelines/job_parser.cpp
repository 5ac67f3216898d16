// Reads one job: finds the reader of each key in a table, applies the defaults, and checks what keys mean
// together.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/job_model.h"

namespace runner::pipelines {
namespace {

struct JobKey {
  Keyword keyword;
  SectionReader read;
  bool in_trigger = false;  // allowed beside `trigger`
};

constexpr std::string_view kCommands = "a command or a list of commands";

// Sorted by name.
constexpr std::array kJobKeys = {
    JobKey{{"after_script", kString | kList, kCommands}, read_after_script},
    JobKey{
        {"allow_failure", kBool | kMap, "a boolean or a mapping with exit_codes"}, read_allow_failure, true},
    JobKey{{"artifacts", kMap, "a mapping"}, read_artifacts},
    JobKey{{"before_script", kString | kList, kCommands}, read_before_script},
    JobKey{{"build_image", kMap, "a mapping"}, read_build_image},
    JobKey{{"cache", kMap | kList, "a mapping or a list of mappings"}, read_cache},
    JobKey{{"coverage", kString, "a pattern such as '/\\d+%/'"}, read_coverage},
    JobKey{{"dast_configuration", kMap, "a mapping", Support::accept}, read_dast},
    JobKey{{"dependencies", kList, "a list of job names"}, read_dependencies},
    JobKey{{"deploy", kMap, "a mapping"}, read_deploy},
    JobKey{{"environment", kString | kMap, "an environment name or a mapping"}, read_environment, true},
    JobKey{{"except", kList | kMap, "a list of refs or a mapping"}, read_except, true},
    JobKey{{"extends", kString | kList, "a name or a list of names"}, read_nothing, true},
    JobKey{{"hooks", kMap, "a mapping"}, read_hooks},
    JobKey{{"id_tokens", kMap, "a mapping"}, read_id_tokens},
    JobKey{{"identity", kString, "'google_cloud'"}, read_identity},
    JobKey{{"image", kString | kMap, "an image name or a mapping"}, read_image},
    JobKey{{"inherit", kMap, "a mapping with default and variables"}, read_inherit, true},
    JobKey{{"inputs", kMap, "a mapping of inputs"}, read_nothing, true},
    JobKey{{"interruptible", kBool, "a boolean"}, read_interruptible, true},
    JobKey{{"manual_confirmation", kString, "a string"}, read_manual_confirmation, true},
    JobKey{{"needs", kList | kMap, "a list of job names"}, read_needs, true},
    JobKey{{"only", kList | kMap, "a list of refs or a mapping"}, read_only, true},
    JobKey{{"pages", kBool | kMap, "a boolean or a mapping"}, read_pages},
    JobKey{{"parallel", kInt | kMap, "a number from 1 to 200 or a mapping with matrix"}, read_parallel, true},
    JobKey{{"publish", kString, "a path"}, read_publish},
    JobKey{{"release", kMap, "a mapping"}, read_release},
    JobKey{{"resource_group", kString, "a string"}, read_resource_group, true},
    JobKey{{"retry", kInt | kMap, "a number from 0 to 2 or a mapping"}, read_retry},
    JobKey{{"rules", kList, "a list of rules"}, read_rules, true},
    JobKey{{"run", kList, "a list of steps"}, read_run},
    JobKey{{"script", kString | kList, kCommands}, read_script},
    JobKey{{"secrets", kMap, "a mapping"}, read_secrets},
    JobKey{{"services", kList, "a list of services"}, read_services},
    JobKey{{"stage", kString, "a stage name"}, read_stage, true},
    JobKey{{"start_in", kString | kInt, "a duration such as '30 minutes'"}, read_start_in},
    JobKey{{"tags", kList, "a list of strings"}, read_tags},
    JobKey{{"timeout", kString | kInt, "a duration such as '3h 30m'"}, read_timeout},
    JobKey{{"trigger", kString | kMap, "a project path or a mapping"}, read_trigger, true},
    JobKey{{"variables", kMap, "a mapping of names to values"}, read_job_variables, true},
    JobKey{{"when", kString, "one of on_success, on_failure, always, manual, delayed"}, read_when, true},
};
// The builder runs on the machine, and nothing of the job's own runs before or after it.
constexpr std::array<std::string_view, 7> kNotWithBuild = {
    "script", "run", "before_script", "after_script", "image", "services", "hooks"};
constexpr std::array<std::string_view, 8> kNotWithDeploy = {
    "script", "run", "before_script", "after_script", "image", "services", "hooks", "build_image"};
static_assert(std::is_sorted(kJobKeys.begin(), kJobKeys.end(), [](const JobKey& a, const JobKey& b) {
  return a.keyword.name < b.keyword.name;
}));

const JobKey* find_key(std::string_view name) {
  const auto found =
      std::lower_bound(kJobKeys.begin(), kJobKeys.end(), name,
                       [](const JobKey& key, std::string_view wanted) { return key.keyword.name < wanted; });
  return found != kJobKeys.end() && found->keyword.name == name ? &*found : nullptr;
}

std::string unknown_key_help(std::string_view key) {
  if (key == "type" || key == "stages" || key == "types") return "use 'stage'";
  std::vector<std::string_view> names;
  names.reserve(kJobKeys.size());
  for (const JobKey& known : kJobKeys) names.push_back(known.keyword.name);
  return did_you_mean(key, names);
}

/// One diagnostic for all unknown keys of a job, at the first of them.
void report_unknown_keys(Shapes& in, const std::vector<const MapEntry*>& unknown) {
  if (unknown.empty()) return;
  std::string keys;
  for (const MapEntry* entry : unknown) keys += (keys.empty() ? "'" : ", '") + std::string(entry->key) + "'";
  in.error("unknown-key", unknown.front()->key_range,
           (unknown.size() == 1 ? "unknown key " : "unknown keys ") + keys,
           unknown_key_help(unknown.front()->key));
}

void read_keys(JobBuild& build, const Node& node) {
  const bool trigger = build.job.job.trigger.has_value();
  std::vector<const MapEntry*> unknown;
  for (const MapEntry& entry : node.entries()) {
    const JobKey* key = find_key(entry.key);
    if (key == nullptr) {
      unknown.push_back(&entry);
    } else if (entry.value->is_null()) {
      if (entry.key == "script") build.in.error("empty-script", entry.key_range, "script must not be empty");
    } else if (trigger && !key->in_trigger) {
      build.in.error("key-not-in-trigger", entry.key_range,
                     "key not allowed in a trigger job: '" + std::string(entry.key) + "'");
    } else if (build.in.check(entry.key, key->keyword, *entry.value)) {
      if (entry.key != "trigger") key->read(build, entry);
    }
  }
  report_unknown_keys(build.in, unknown);
}

/// Keys of the defaults that mean nothing to a job without a script of its own.
bool replaced_by_work(const Node& job, std::string_view key) {
  if (job.find("run") != nullptr) return key == "before_script" || key == "after_script";
  // What is half deployed is not given up for a newer push, unless the job itself says so.
  if (job.find("deploy") != nullptr)
    return key == "interruptible" ||
           std::find(kNotWithDeploy.begin(), kNotWithDeploy.end(), key) != kNotWithDeploy.end();
  return job.find("build_image") != nullptr &&
         std::find(kNotWithBuild.begin(), kNotWithBuild.end(), key) != kNotWithBuild.end();
}

/// A key of the defaults applies when the job does not set it.
void apply_defaults(JobBuild& build, const Node& node) {
  const Node* inherit = node.find("inherit");
  const Node* chosen = inherit != nullptr && inherit->is_map() ? inherit->find("default") : nullptr;
  if (chosen != nullptr && chosen->kind() == NodeKind::boolean && !chosen->boolean()) return;
  const auto inherited = [&](std::string_view key) {
    if (chosen == nullptr || !chosen->is_list()) return true;
    return std::any_of(chosen->items().begin(), chosen->items().end(),
                       [&](const Node* item) { return item->text() == key; });
  };
  Shapes silent(nullptr, build.in.no_effect(), build.in.owner());
  silent.set_inputs(build.in.inputs());
  JobBuild quiet{silent, build.job, build.shared};
  for (const auto& [name, value] : build.shared.defaults) {
    const Node* own = node.find(name);
    if (own != nullptr && !own->is_null()) continue;
    if (value->is_null() || !inherited(name)) continue;
    if (build.job.job.trigger && name != "interruptible") continue;
    if (replaced_by_work(node, name)) continue;
    const JobKey* key = find_key(name);
    if (key != nullptr && fits(key->keyword.shape, value->kind()))
      key->read(quiet, MapEntry{name, value->range(), value});
  }
}

void check_exclusive(JobBuild& build, const Node& node, std::string_view first, std::string_view second) {
  const MapEntry* a = node.find_entry(first);
  const MapEntry* b = node.find_entry(second);
  if (a == nullptr || b == nullptr || a->value->is_null() || b->value->is_null()) return;
  build.in.error("keys-exclude", b->key_range,
                 "key cannot be used with " + std::string(first) + ": '" + std::string(second) + "'");
}

bool has(const Node& node, std::string_view key) {
  const Node* value = node.find(key);
  return value != nullptr && !value->is_null();
}

/// Where to is the environment's: its history, its lock, its approvals.
void check_deploy_place(JobBuild& build, const Node& node) {
  const MapEntry& deploy = *node.find_entry("deploy");
  const auto& environment = build.job.job.environment;
  if (!has(node, "environment")) {
    build.in.error("missing-key", deploy.key_range, "deploy needs environment",
                   "add `environment: staging`, or what the place is called");
  } else if (environment && environment->action != "start") {
    build.in.error("keys-exclude", node.find_entry("environment")->key_range,
                   "deploy cannot be used with environment:action: " + environment->action);
  }
  const Node* outputs = deploy.value->is_map() ? deploy.value->find("outputs") : nullptr;
  const Node* url = outputs != nullptr && outputs->is_map() ? outputs->find("url") : nullptr;
  if (environment && environment->url.empty() && url != nullptr)
    build.job.job.environment->url = build.in.with_inputs(url->text(), url->range());
}

void check_together(JobBuild& build, const Node& node) {
  JobDefinition& job = build.job;
  for (std::string_view key : {"only", "except", "start_in"}) check_exclusive(build, node, "rules", key);
  check_exclusive(build, node, "script", "run");
  for (std::string_view key : {"before_script", "after_script"}) check_exclusive(build, node, "run", key);

  for (std::string_view key : kNotWithBuild) check_exclusive(build, node, "build_image", key);
  for (std::string_view key : kNotWithDeploy) check_exclusive(build, node, "deploy", key);
  if (has(node, "deploy")) check_deploy_place(build, node);

  const bool runs = has(node, "script") || has(node, "run") || has(node, "trigger") ||
                    has(node, "build_image") || has(node, "deploy");
  if (!runs && build.shared.complete && node.find("script") == nullptr &&
      !(job.needs && !job.needs->foreign.empty() && job.needs->jobs.empty())) {
    build.in.error("no-script", job.job.where, "must define script, run or trigger");
  }
  if (has(node, "rules")) return;
  const bool delayed = job.when == When::delayed;
  if (delayed && !job.job.start_in && !has(node, "start_in"))
    build.in.error("bad-start-in", node.find_entry("when")->key_range, "when: delayed needs start_in");
  if (!delayed && has(node, "start_in"))
    build.in.error("bad-start-in", node.find_entry("start_in")->key_range, "start_in needs when: delayed");
}

}  // namespace

std::optional<JobDefinition> read_job(const MapEntry& entry, JobReading& shared) {
  Shapes in(&shared.diagnostics, shared.no_effect, "job '" + std::string(entry.key) + "'");
  JobDefinition job;
  job.job.name = entry.key;
  job.job.group_name = entry.key;
  job.job.where = entry.key_range;
  job.job.stage = "test";
  job.stage_where = entry.key_range;
  if (!entry.value->is_map()) {
    in.error("no-job", entry.key_range,
             "expected a mapping that defines script, run or trigger, got " +
                 std::string(describe(entry.value->kind())));
    return std::nullopt;
  }
  const Node& node = *entry.value;
  job.node = &node;
  const JobInputs inputs = read_job_inputs(in, node);
  if (!inputs.empty() || node.find("inputs") != nullptr) in.set_inputs(&inputs);
  JobBuild build{in, job, shared};
  if (const MapEntry* trigger = node.find_entry("trigger");
      trigger != nullptr && (trigger->value->is_string() || trigger->value->is_map())) {
    job.job.trigger.emplace();
    read_trigger(build, *trigger);
  }
  read_keys(build, node);
  apply_defaults(build, node);
  if (job.job.name == "pages" && node.find("pages") == nullptr)
    read_pages(build, MapEntry{"pages", {}, &node});
  check_together(build, node);
  return job;
}

void check_defaults(const Node& defaults, JobReading& shared) {
  Shapes in(&shared.diagnostics, shared.no_effect, "default");
  JobDefinition scratch;
  JobBuild build{in, scratch, shared};
  std::vector<std::string_view> names;
  for (const Keyword& keyword : kDefaultKeys.keywords) names.push_back(keyword.name);
  for (const MapEntry& entry : defaults.entries()) {
    const Keyword* keyword = kDefaultKeys.find(entry.key);
    if (keyword == nullptr) {
      std::string help = did_you_mean(entry.key, names);
      if (help.empty()) help = "allowed here: " + alternatives(names);
      in.error("unknown-key", entry.key_range, "unknown key '" + std::string(entry.key) + "'",
               std::move(help));
    } else if (!entry.value->is_null() && in.check(entry.key, *keyword, *entry.value)) {
      find_key(entry.key)->read(build, entry);
    }
  }
}

}  // namespace runner::pipelines
