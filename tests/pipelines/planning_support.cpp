#include "tests/pipelines/planning_support.h"

#include <algorithm>

namespace runner::pipelines {

std::optional<std::vector<std::string>> FakeRepository::changed_since(std::string_view ref) {
  const auto found = since.find(ref);
  if (found == since.end()) return std::nullopt;
  return found->second;
}

PlanWorld::PlanWorld() {
  facts.ref_name = "main";
  facts.sha = std::string(40, 'a');
  facts.project_path = "group/project";
}

PlanResult PlanWorld::plan(std::string_view text) {
  return make_plan(".gitlab-ci.yml", text, facts, includes, repository);
}

std::string outline(const PlanResult& result) {
  std::string out;
  if (!result.plan) {
    constexpr const char* kOutcomes[] = {"planned", "invalid", "filtered", "no_jobs", "skipped"};
    out = kOutcomes[static_cast<std::size_t>(result.outcome)];
    for (const Diagnostic& one : result.diagnostics.sorted())
      if (one.severity == Severity::error) out += " " + one.id;
    return out + "\n";
  }
  for (const PlanJob& job : result.plan->jobs) {
    out += job.stage + "/" + job.name + " " + std::string(to_string(job.when));
    if (job.allow_failure.always) out += " allow";
    for (int code : job.allow_failure.exit_codes) out += " allow:" + std::to_string(code);
    if (job.dag) out += " needs";
    for (const Need& need : job.needs)
      out += " " + result.plan->jobs[need.job].name + (need.artifacts ? "" : "(-)");
    if (!job.artifact_sources.empty()) out += " from";
    for (std::size_t source : job.artifact_sources) out += " " + result.plan->jobs[source].name;
    out += "\n";
  }
  return out;
}

}  // namespace runner::pipelines
