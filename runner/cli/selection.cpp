#include "runner/cli/selection.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

using pipelines::ExcludedJob;
using pipelines::Plan;
using pipelines::PlanJob;

// All jobs a name stands for.
std::vector<std::size_t> find_jobs(const Plan& plan, std::string_view name) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    if (plan.jobs[i].name == name) return {i};
    if (plan.jobs[i].group_name == name) found.push_back(i);
  }
  return found;
}

const ExcludedJob* find_excluded(std::span<const ExcludedJob> excluded, std::string_view name) {
  const auto found = std::find_if(excluded.begin(), excluded.end(),
                                  [&](const ExcludedJob& job) { return job.name == name; });
  return found == excluded.end() ? nullptr : &*found;
}

void set_unknown(const Plan& plan, std::span<const ExcludedJob> excluded, const std::string& name,
                 Chosen& chosen) {
  chosen.problem = "no job is called '" + name + "'";
  std::vector<std::string_view> known;
  for (const PlanJob& job : plan.jobs) {
    known.push_back(job.name);
    if (job.group_name != job.name) known.push_back(job.group_name);
  }
  for (const ExcludedJob& job : excluded) known.push_back(job.name);
  const auto near = nearest(name, known);
  chosen.help = near ? "did you mean '" + std::string(*near) + "'?" : "'runner exec --list' names them";
}

std::string left_out(const ExcludedJob& job) {
  return "job '" + job.name + "' is not in this pipeline: " + job.why;
}

}  // namespace

bool gives_something(const pipelines::ArtifactsSpec& artifacts) {
  return !artifacts.paths.empty() || artifacts.untracked || artifacts.reports.count("dotenv") > 0;
}

Chosen choose_jobs(const Plan& plan, std::span<const ExcludedJob> excluded,
                   std::span<const std::string> names, std::span<const std::string> manual) {
  Chosen chosen;
  std::set<std::size_t> selected, played;
  const auto resolve = [&](const std::string& name) {
    std::vector<std::size_t> found = find_jobs(plan, name);
    if (!found.empty() || chosen.problem) return found;
    if (const ExcludedJob* job = find_excluded(excluded, name)) {
      chosen.notices.push_back(left_out(*job));
    } else {
      set_unknown(plan, excluded, name, chosen);
    }
    return found;
  };
  for (const std::string& name : names) {
    for (const std::size_t job : resolve(name)) {
      selected.insert(job);
      if (plan.jobs[job].manual_job) played.insert(job);
    }
  }
  for (const std::string& name : manual) {
    for (const std::size_t job : resolve(name)) {
      played.insert(job);
      if (!names.empty() && selected.count(job) == 0) {
        chosen.notices.push_back("--manual '" + name + "' is none of the jobs to run");
      } else if (!plan.jobs[job].manual_job) {
        chosen.notices.push_back("job '" + plan.jobs[job].name + "' is not manual, --manual changes nothing");
      }
    }
  }
  if (!chosen.problem && !names.empty() && selected.empty()) {
    chosen.problem = chosen.notices.front();
    chosen.notices.erase(chosen.notices.begin());
    chosen.help = "'runner exec --explain " + shell_quote(names.front()) + "' tells why";
  }
  chosen.jobs.assign(selected.begin(), selected.end());
  for (const std::size_t job : played) {
    if (plan.jobs[job].manual_job && (names.empty() || selected.count(job) > 0)) chosen.play.push_back(job);
  }
  return chosen;
}

std::vector<std::size_t> artifact_closure(const Plan& plan, std::size_t job) {
  std::set<std::size_t> found{job};
  std::vector<std::size_t> open{job};
  while (!open.empty()) {
    const std::size_t next = open.back();
    open.pop_back();
    for (const std::size_t source : plan.jobs[next].artifact_sources) {
      if (gives_something(plan.jobs[source].artifacts) && found.insert(source).second) open.push_back(source);
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace runner::cli
