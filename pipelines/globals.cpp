#include "pipelines/globals.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 5> kGlobalKeys = {"default", "include", "stages", "variables",
                                                         "workflow"};
constexpr std::array<std::string_view, 5> kOldDefaults = {"image", "services", "cache", "before_script",
                                                          "after_script"};
constexpr std::array<std::string_view, 4> kRefusedNames = {"spec", "true", "false", "nil"};
constexpr std::size_t kMaxName = 255;

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void read_stages(const Node* node, Globals& globals, Diagnostics& diagnostics, NoEffect& no_effect) {
  std::vector<std::string> wanted;
  if (node == nullptr || node->is_null()) {
    wanted = {"build", "test", "deploy"};
  } else if (!node->is_list()) {
    diagnostics.error("wrong-type", node->range(),
                      "stages: expected a list of stage names, got " + std::string(describe(node->kind())));
  } else {
    Shapes in(&diagnostics, no_effect, "stages");
    wanted = in.strings("list", *node);
  }
  globals.stages.emplace_back(".pre");
  std::unordered_set<std::string> seen;
  for (std::string& stage : wanted) {
    if (stage == ".pre" || stage == ".post") continue;
    if (stage.empty() || stage.size() > kMaxName) {
      diagnostics.error("bad-stage", node->range(), "stages: names have 1 to 255 characters");
    } else if (seen.insert(stage).second) {
      globals.stages.push_back(std::move(stage));
    } else {
      diagnostics.warning("duplicate-stage", node->range(), "stages: '" + stage + "' is listed twice");
    }
  }
  globals.stages.emplace_back(".post");
}

void read_defaults(const Node& root, Globals& globals, Diagnostics& diagnostics) {
  const Node* defaults = root.find("default");
  if (defaults != nullptr && !defaults->is_null() && !defaults->is_map()) {
    diagnostics.error("wrong-type", defaults->range(),
                      "default: expected a mapping, got " + std::string(describe(defaults->kind())));
    defaults = nullptr;
  }
  if (defaults != nullptr)
    for (const MapEntry& entry : defaults->entries())
      if (kDefaultKeys.find(entry.key) != nullptr) globals.defaults.emplace(entry.key, entry.value);
  for (std::string_view key : kOldDefaults) {
    const MapEntry* old = root.find_entry(key);
    if (old == nullptr || old->value->is_null()) continue;
    const auto [place, added] = globals.defaults.try_emplace(std::string(key), old->value);
    if (added) continue;
    if (!place->second->is_null())
      diagnostics
          .error("set-twice", old->key_range,
                 "'" + std::string(key) + "' is set both at top level and under default")
          .notes.push_back({place->second->range(), "first set here"});
    place->second = old->value;
  }
}

/// A job's name can be used; mistakes are reported.
bool check_name(const MapEntry& entry, Diagnostics& diagnostics) {
  if (contains(kRefusedNames, entry.key)) {
    diagnostics.error("bad-job-name", entry.key_range,
                      "'" + std::string(entry.key) + "' cannot be the name of a job");
    return false;
  }
  if (entry.key == "types") {
    diagnostics.error("unknown-key", entry.key_range, "unknown key 'types'", "use 'stages'");
    return false;
  }
  if (entry.key.empty() || entry.key.size() > kMaxName) {
    diagnostics.error("bad-job-name", entry.key_range,
                      "job '" + std::string(entry.key.substr(0, 60)) + (entry.key.empty() ? "'" : "...'") +
                          ": names have 1 to 255 characters");
    return false;
  }
  if (entry.value->is_map()) return true;
  std::vector<std::string_view> names(kGlobalKeys.begin(), kGlobalKeys.end());
  names.insert(names.end(), kOldDefaults.begin(), kOldDefaults.end());
  diagnostics.error("no-job", entry.key_range,
                    "job '" + std::string(entry.key) +
                        "': expected a mapping that defines script, run or trigger, got " +
                        std::string(describe(entry.value->kind())),
                    did_you_mean(entry.key, names));
  return false;
}

}  // namespace

Globals read_globals(const ResolvedDocument& document, Diagnostics& diagnostics, NoEffect& no_effect) {
  Globals globals;
  const Node& root = *document.root;
  const std::size_t errors = diagnostics.error_count();
  const bool broken_stages = document.broken.count("stages") != 0;
  const Node* stages = broken_stages ? nullptr : root.find("stages");
  read_stages(stages, globals, diagnostics, no_effect);
  globals.stages_known = !broken_stages && diagnostics.error_count() == errors;
  if (stages != nullptr && !stages->is_null()) globals.stages_where = stages->range();
  read_defaults(root, globals, diagnostics);
  bool visible = false;
  for (const MapEntry& entry : root.entries()) {
    if (entry.key.starts_with(".") || entry.key.starts_with("x-") || entry.key == "$schema") continue;
    if (contains(kGlobalKeys, entry.key) || contains(kOldDefaults, entry.key)) continue;
    visible = true;
    if (document.broken.count(entry.key) == 0 && check_name(entry, diagnostics)) {
      globals.jobs.push_back(&entry);
    } else {
      globals.unreadable.insert(entry.key);
    }
  }
  if (!visible && document.complete)
    diagnostics.error("no-visible-job", root.range(), "configuration has no visible job");
  return globals;
}

void read_workflow(const ResolvedDocument& document, JobReading& shared, Globals& globals) {
  const Node& root = *document.root;
  Shapes top(&shared.diagnostics, shared.no_effect, "configuration");
  if (const Node* variables = root.find("variables"); variables != nullptr && !variables->is_null()) {
    if (variables->is_map()) {
      globals.variables_node = variables;
      globals.variables =
          read_variables(top, "variables", *variables, VariableForm::root, VariableSource::root);
    } else {
      top.wrong_type("variables", *variables, "a mapping of names to values");
    }
  }
  const Node* node = root.find("workflow");
  if (node == nullptr || node->is_null() || document.broken.count("workflow") != 0) return;
  Shapes in(&shared.diagnostics, shared.no_effect, "configuration");
  if (!node->is_map()) {
    in.wrong_type("workflow", *node, "a mapping");
    return;
  }
  in.check_keys("workflow", kWorkflowKeys, *node);
  if (const Node* name = in.get(kWorkflowKeys, *node, "name")) {
    globals.workflow.name = name->text();
    if (name->text().size() > kMaxName)
      in.error("too-long", name->range(), "workflow:name has more than 255 characters");
  }
  if (const Node* cancel = in.get(kWorkflowKeys, *node, "auto_cancel"))
    globals.workflow.auto_cancel =
        read_auto_cancel(in, "workflow:auto_cancel", *cancel).value_or(AutoCancel{});
  if (const Node* rules = in.get(kWorkflowKeys, *node, "rules"))
    globals.workflow.rules = read_rule_list(in, shared, "workflow:rules", *rules, kWorkflowRuleKeys);
}

}  // namespace runner::pipelines
