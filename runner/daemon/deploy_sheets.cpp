#include "runner/daemon/deploy_sheets.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "deployments/job/deploy_shape.h"
#include "deployments/outline.h"
#include "pipelines/deploy_block.h"
#include "pipelines/frozen_plan.h"
#include "pipelines/job_variables.h"
#include "runner/base/error.h"
#include "runner/engine/masker.h"
#include "runner/git/mirror.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/variable_table.h"

namespace runner::daemon {
namespace {

using nlohmann::json;
using pipelines::Plan;
using pipelines::PlanJob;
using pipelines::Undefined;
using pipelines::Variable;
using pipelines::VariableSet;

// What the log of a job masks.
constexpr std::size_t kShortestSecret = 8;

/// Texts of a job as everybody who may see its deployment may see them.
class Shown {
 public:
  /// `given`: keys of the project's variables, whose values are for jobs only.
  Shown(const Plan& plan, const PlanJob& job, const std::set<std::string>& given)
      : known_(visible(plan, job, given)), masker_(secrets(plan, job)) {}

  /// With the values of variables that are no secret; of all others the names stay.
  std::string expand(std::string_view text) const { return known_.expand(text, Undefined::keep); }

  std::string masked(std::string_view text) {
    std::string out;
    masker_.feed(text, out);
    masker_.finish(out);
    return out;
  }
  /// All texts in it.
  void mask(json& value) {
    if (value.is_string()) {
      value = masked(value.get_ref<const std::string&>());
    } else if (value.is_structured()) {
      for (json& one : value) mask(one);
    }
  }
  std::string masked_json(const std::string& text) {
    json value = json::parse(text, nullptr, false);
    if (value.is_discarded()) return {};
    mask(value);
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  static VariableSet visible(const Plan& plan, const PlanJob& job, const std::set<std::string>& given) {
    const VariableSet all = pipelines::job_variables(plan, job, {});
    std::vector<Variable> shown;
    for (const Variable* winner : all.all()) {
      // The winner last: within a rank the later one wins.
      const auto definitions = all.definitions(winner->name);
      for (auto one = definitions.rbegin(); one != definitions.rend(); ++one) {
        Variable variable = **one;
        if (variable.masked || variable.file || !variable.is_public || given.contains(variable.name)) {
          variable.value = "$" + variable.name;
          variable.raw = true;
          variable.file = false;
        }
        shown.push_back(std::move(variable));
      }
    }
    return VariableSet(std::move(shown));
  }

  static std::vector<std::string> secrets(const Plan& plan, const PlanJob& job) {
    const VariableSet all = pipelines::job_variables(plan, job, {});
    std::vector<std::string> texts;
    const auto add = [&](const Variable& variable) {
      for (std::string text : {variable.value, all.expand(variable.value, Undefined::empty)})
        if (text.size() >= kShortestSecret) texts.push_back(std::move(text));
    };
    for (const auto* list : {&plan.variables, &job.variables})
      for (const Variable& variable : *list)
        if (variable.masked) add(variable);
    if (job.deploy.empty()) return texts;
    for (const std::string& name : pipelines::deploy_secrets(pipelines::parse_deploy_block(job.deploy)))
      for (const Variable* variable : all.definitions(name)) add(*variable);
    return texts;
  }

  const VariableSet known_;
  engine::Masker masker_;
};

void add_lines(std::vector<std::string>& lines, const pipelines::Script& script, Shown& shown) {
  for (const std::string& line : script) lines.push_back(shown.masked(line));
}

}  // namespace

std::optional<api::DeploymentWork> DeploySheets::work(const storage::DeploymentRecord& deployment,
                                                      const deployments::Snapshot& before) const {
  if (!deployment.pipeline) return std::nullopt;
  std::optional<storage::FrozenPipeline> frozen;
  std::set<std::string> given;
  store_.read([&, id = *deployment.pipeline](storage::Tx& tx) {
    given.clear();
    frozen = storage::Pipelines(tx).frozen(id, sealer_);
    const auto pipeline = storage::Pipelines(tx).find(id);
    if (!pipeline || !pipeline->project_id) return;
    for (const auto& variable : storage::Variables(tx, sealer_).of_project(*pipeline->project_id))
      given.insert(variable.key);
  });
  if (!frozen) return std::nullopt;
  const Plan plan = pipelines::thaw(frozen->plan.text());
  const auto index = plan.find(deployment.job);
  if (!index) return std::nullopt;
  const PlanJob& job = plan.jobs[*index];
  api::DeploymentWork work;
  try {
    Shown shown(plan, job, given);
    if (job.deploy.empty()) {
      for (const auto* script : {&job.before_script, &job.script, &job.after_script})
        add_lines(work.script, *script, shown);
      return work;
    }
    work.block = shown.masked_json(job.deploy);
    pipelines::DeploySpec spec = pipelines::parse_deploy_block(job.deploy);
    pipelines::expand_deploy_texts(spec, [&](std::string_view text) { return shown.expand(text); });
    // Before its files are there nobody knows what the release will be called.
    const std::string candidate = deployment.release.empty() ? "new" : deployment.release;
    const auto outline = deployments::make_outline(spec, deployments::shape_of(spec), before, candidate);
    work.outline = shown.masked_json(deployments::outline_json(spec, outline));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_input) throw;
    work.why = "this version of the server cannot read its block";
  }
  return work;
}

git::CommitRange DeploySheets::commits(const storage::ProjectRecord& project, const std::string& from,
                                       const std::string& to, std::size_t limit) const {
  const std::filesystem::path directory = mirror_of_(project);
  if (!std::filesystem::exists(directory)) return {};  // it is not for a question to make it
  return git::commits_between(*git::Mirror::open(directory), from, to, limit);
}

}  // namespace runner::daemon
