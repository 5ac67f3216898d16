#include "executors/containers/container_sandbox.h"

#include <unistd.h>

#include <utility>

#include "executors/containers/container_bodies.h"
#include "executors/containers/container_client.h"
#include "executors/containers/container_step.h"
#include "executors/containers/container_terminal.h"
#include "executors/containers/step_script.h"
#include "executors/overlay.h"
#include "executors/step_place.h"
#include "executors/unseen.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kOrphanTime{10};
constexpr const char* kShellScript = "shell";

class ContainerSandbox final : public Sandbox {
 public:
  ContainerSandbox(const StepStarter& starter, fs::path state_dir, StoredSandbox stored, bool used)
      : starter_(starter), state_dir_(std::move(state_dir)), stored_(std::move(stored)), used_(used) {}

  std::unique_ptr<Step> start(const StepSpec& step, LogSink& sink) override {
    StepPlace place = make_step_place(state_dir_, stored_.cookie, step);
    try {
      write_script(kStepScript, step);
      if (!stored_.work.empty()) forget_volatile_mark(stored_.work.native());
      ClientRequest request{stored_.socket, stored_.api, stored_.podman, stored_.container, used_, 0};
      if (starter_.life == StepLife::with_runner) request.ends_with = ::getpid();
      write_request(place.dir, request);
      used_ = true;
      LaunchedStep launched = starter_.launcher.launch(lower(place));
      auto process = make_shell_step(place, std::move(launched), sink);
      return make_container_step(std::move(place), container(), std::move(process), sink);
    } catch (Error& error) {
      end_step(place, std::chrono::steady_clock::now() + kOrphanTime);
      remove_tree(place.dir);  // the step never was
      error.add_context("step '" + step.id.value + "'");
      throw;
    }
  }

  std::unique_ptr<Step> attach(const StepId& id, std::uint64_t log_offset, LogSink& sink) override {
    check_step_id(id.value);
    StepPlace place = step_place(state_dir_, stored_.cookie, id.value);
    if (!names_directory(place.dir)) return nullptr;
    auto process = attach_shell_step(place, log_offset, sink);
    return make_container_step(std::move(place), container(), std::move(process), sink);
  }

  std::unique_ptr<TerminalSession> open_terminal(const StepSpec& step) override {
    write_script(kShellScript, step);
    auto sink = std::make_unique<UnseenSink>();
    auto waiting = start(waiting_step(step.id), *sink);
    return open_container_terminal(container().api, stored_.container,
                                   std::string(kFilesTarget) + "/" + kShellScript, std::move(sink),
                                   std::move(waiting));
  }

 private:
  // Read by whoever the image's user is; nobody else gets to it through the state directory.
  void write_script(const char* name, const StepSpec& step) const {
    constexpr unsigned kReadable = 0644;
    write_file_atomic(state_dir_ / kFilesDirectory / name, step_script(step, stored_.workspace), kReadable,
                      false);
  }

  // Of the process that follows the container; what the step itself gets is in its script.
  LaunchRequest lower(const StepPlace& place) const {
    LaunchRequest request;
    request.argv = {starter_.program, kContainerStepWord, place.dir.native()};
    request.env = {"PATH=/usr/local/bin:/usr/bin:/bin", place.cookie};
    request.cwd = "/";
    request.step_dir = place.dir.native();
    request.outlives_runner = starter_.life == StepLife::beyond_runner;
    return request;
  }

  ContainerPlace container() const {
    return {EngineApi(stored_.socket, stored_.api, stored_.podman), stored_.container, stored_.logged,
            state_dir_ / kServiceLogMarker};
  }

  const StepStarter& starter_;
  const fs::path state_dir_;
  const StoredSandbox stored_;
  bool used_;  // a step may have run in the container
};

}  // namespace

std::unique_ptr<Sandbox> make_container_sandbox(const StepStarter& starter, fs::path state_dir,
                                                StoredSandbox stored, bool used) {
  return std::make_unique<ContainerSandbox>(starter, std::move(state_dir), std::move(stored), used);
}

}  // namespace runner::executors
