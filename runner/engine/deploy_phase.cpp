// The phase of a JobRunner in which it deploys: in place of its scripts.
#include <utility>

#include "deployments/job/deploy_request.h"
#include "pipelines/deploy_block.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/engine/job_runner.h"

namespace runner::engine {
namespace {

deployments::DeployRequest request_of(const JobOrder& order, const pipelines::PlanJob& job,
                                      const pipelines::DeploySpec& spec, const JobEnvironment& environment,
                                      const DeploySettings& settings) {
  const pipelines::PipelineFacts& facts = order.request->facts;
  deployments::DeployRequest request;
  request.database = settings.database;
  request.places = settings.places;
  request.gated = settings.gated;
  if (settings.gated) request.pipeline = order.state.pipeline;
  request.project = order.request->scope;
  request.environment = job.environment->name;
  request.job = job.name;
  request.ref = facts.ref_name;
  request.sha = facts.sha;
  request.user = facts.user_login;
  request.block = job.deploy;
  request.variables = environment.values();
  for (const std::string& name : pipelines::deploy_secrets(spec))
    if (auto secret = environment.content(name)) request.secrets[name] = std::move(*secret);
  return request;
}

}  // namespace

void JobRunner::run_deployment() {
  if (const StopCause cause = control_.job_cause(); cause != StopCause::none) {
    set_stopped(cause, false);
    return;
  }
  const DeploySettings& settings = context_.options.deployments;
  if (context_.parts.program.empty() || settings.database.empty())
    throw Error(ErrorCode::unavailable, "nothing can be deployed here: there is no place for the journal");
  const std::filesystem::path dir = order_.work_dir / "deploy";
  make_directories(dir, 0700);
  const LogSection section(*log_, "deploy", "Deploying to " + job_.environment->name);
  const pipelines::DeploySpec spec = pipelines::parse_deploy_block(job_.deploy);
  deployments::DeployRequest request = request_of(order_, job_, spec, *environment_, settings);
  request.workspace = workspace_->path();
  deployments::write_deploy_request(dir, request);
  print_warnings();
  executors::StepSpec step;
  step.id.value = "script";
  step.argv = {context_.parts.program, deployments::kDeployStepWord, dir.native()};
  step.env = environment_->process();
  // It has deadlines of its own, and whoever stops it gets a rollback, which takes its time.
  control_.set_grace(spec.timeout.total);
  if (!job_.timeout) control_.forget_deadline();
  script_started_ = true;
  set_deploy_result(control_.run(*sandbox_, step, *log_, {}, false), dir);
}

void JobRunner::set_deploy_result(const executors::StepEnd& end, const std::filesystem::path& dir) {
  using deployments::DeployExit;
  const auto* exited = std::get_if<executors::Exited>(&end);
  if (exited == nullptr || control_.step_cause() != StopCause::none) {
    set_script_result(end);
    return;
  }
  if (exited->code == static_cast<int>(DeployExit::done)) {
    outcome_.result = {RunResult::Kind::success, {}, 0, {}};
    return;
  }
  std::string why = deployments::read_deploy_verdict(dir);
  // Without one it is not told who is to blame: a process of ours that died of itself is the machine's.
  const bool machinery = why.empty() || exited->code == static_cast<int>(DeployExit::machinery);
  if (why.empty()) why = "the deployment ended with exit code " + std::to_string(exited->code);
  fail(machinery ? pipelines::FailureReason::runner_system_failure : pipelines::FailureReason::script_failure,
       std::move(why), exited->code);
}

}  // namespace runner::engine
