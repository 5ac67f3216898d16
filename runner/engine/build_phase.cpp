// The phase of a JobRunner in which an image is built: in place of its scripts.
#include <utility>

#include "artifacts/reports.h"
#include "builds/build_request.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/engine/image_build.h"
#include "runner/engine/job_runner.h"

namespace runner::engine {

using pipelines::FailureReason;

void JobRunner::run_image_build() {
  if (const StopCause cause = control_.job_cause(); cause != StopCause::none) {
    set_stopped(cause, false);
    return;
  }
  if (context_.parts.program.empty())
    throw Error(ErrorCode::unavailable, "images cannot be built here: the program's own file is not known");
  const std::filesystem::path dir = order_.work_dir / "image";
  make_directories(dir, 0700);
  const LogSection section(*log_, "build_image", "Building the image");
  try {
    builds::BuildRequest request =
        build_request(*job_.image_build, *environment_, order_.request->facts, context_.options.containers);
    request.workspace = workspace_->path();
    builds::write_build_request(dir, request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_input) throw;
    fail(FailureReason::script_failure, error.what());
    log_->line("ERROR: " + std::string(error.what()));
    return;
  }
  print_warnings();
  executors::StepSpec spec;
  spec.id.value = "script";
  spec.argv = {context_.parts.program, builds::kImageBuildWord, dir.native()};
  spec.env = environment_->process();
  std::optional<SteadyPoint> deadline;
  if (const auto limit = environment_->duration("RUNNER_SCRIPT_TIMEOUT"))
    deadline = context_.parts.clock.steady_now() + *limit;
  script_started_ = true;
  set_build_result(control_.run(*sandbox_, spec, *log_, deadline, false), dir);
}

void JobRunner::set_build_result(const executors::StepEnd& end, const std::filesystem::path& dir) {
  using builds::BuildExit;
  const auto* exited = std::get_if<executors::Exited>(&end);
  if (exited == nullptr || exited->code == static_cast<int>(BuildExit::cancelled) ||
      control_.step_cause() != StopCause::none) {
    set_script_result(end);
    return;
  }
  if (exited->code == static_cast<int>(BuildExit::done)) {
    std::string problem;
    auto outputs = artifacts::parse_dotenv(read_file(dir / builds::kOutputsFile).value_or(""), problem);
    if (!outputs || outputs->empty())
      throw Error(ErrorCode::internal, "the image was built, but what it is called was not left: " + problem);
    build_outputs_ = std::move(*outputs);
    outcome_.result = {RunResult::Kind::success, {}, 0, {}};
    return;
  }
  const auto verdict = builds::read_build_verdict(dir);
  // Without one it is not told who is to blame: a process of ours that died of itself is the machine's.
  const BuildExit kind = verdict ? verdict->exit : BuildExit::machinery;
  std::string why = verdict ? verdict->why : "the build ended with exit code " + std::to_string(exited->code);
  fail(kind == BuildExit::machinery ? FailureReason::runner_system_failure : FailureReason::script_failure,
       std::move(why), exited->code);
}

}  // namespace runner::engine
