// script, before_script, after_script, hooks, run.

#include <algorithm>
#include <string>

#include "pipelines/job_model.h"
#include "pipelines/variable_scan.h"

namespace runner::pipelines {

void read_script(JobBuild& build, const MapEntry& entry) {
  const std::size_t before = build.shared.diagnostics.error_count();
  build.job.job.script = build.in.commands("script", *entry.value);
  build.job.has_script = true;
  if (build.job.job.script.empty() && build.shared.diagnostics.error_count() == before)
    build.in.error("empty-script", entry.key_range, "script must not be empty");
}

void read_before_script(JobBuild& build, const MapEntry& entry) {
  build.job.job.before_script = build.in.commands("before_script", *entry.value);
}

void read_after_script(JobBuild& build, const MapEntry& entry) {
  build.job.job.after_script = build.in.commands("after_script", *entry.value);
}

void read_hooks(JobBuild& build, const MapEntry& entry) {
  build.in.check_keys("hooks", kHookKeys, *entry.value);
  if (const Node* script = build.in.get(kHookKeys, *entry.value, "pre_get_sources_script"))
    build.job.job.pre_get_sources_script = build.in.commands("hooks:pre_get_sources_script", *script);
}

namespace {

bool is_step_name(std::string_view name) {
  return !name.empty() && name_length(name) == name.size();
}

void read_step(JobBuild& build, const Node& step, std::size_t index) {
  const std::string path = "run step " + std::to_string(index + 1);
  if (!step.is_map()) {
    build.in.wrong_type(path, step, "a mapping with name and script");
    return;
  }
  build.in.check_keys(path, kRunStepKeys, step);
  const Node* name = build.in.get(kRunStepKeys, step, "name");
  if (name == nullptr || !is_step_name(name->text()))
    build.in.error("bad-step", step.range(), path + " needs a name of letters, digits and '_'");
  const Node* script = build.in.get(kRunStepKeys, step, "script");
  const bool other = step.find("step") != nullptr || step.find("func") != nullptr;
  if ((script != nullptr) == other) {
    build.in.error("bad-step", step.range(), path + " needs either script, or step or func");
  } else if (other) {
    build.job.job.unsupported = "'run' with step or func is not available here, only script";
  } else {
    // A subshell each: what a step exports or where it goes is gone after it, a failure ends the job.
    build.job.job.script.push_back("(\n" + build.in.with_inputs(script->text(), script->range()) + "\n)");
  }
}

}  // namespace

void read_run(JobBuild& build, const MapEntry& entry) {
  const auto items = entry.value->items();
  if (items.empty()) build.in.error("empty-script", entry.key_range, "run must not be empty");
  for (std::size_t i = 0; i < items.size(); ++i) read_step(build, *items[i], i);
  build.job.has_script = true;
}

}  // namespace runner::pipelines
