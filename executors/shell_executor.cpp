#include "executors/shell_executor.h"

#include <fcntl.h>

#include <algorithm>

#include "executors/containers/owner.h"
#include "executors/launch_request.h"
#include "executors/shell_step.h"
#include "executors/step_place.h"
#include "executors/terminal_step.h"
#include "runner/base/disk_space.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSandboxFile = "sandbox";
constexpr std::chrono::seconds kOrphanTime{10};
constexpr std::chrono::seconds kUnmountTime{30};

void check(const SandboxSpec& spec) {
  if (spec.memory_bytes != 0 || spec.cpu_millis != 0)
    throw Error(ErrorCode::invalid_input,
                "the shell executor has no memory or CPU limits; use a container executor");
  if (!spec.overlay) {
    if (!names_directory(spec.workspace))
      throw Error(ErrorCode::not_found, "the workspace '" + spec.workspace.native() + "' is not a directory");
    return;
  }
  if (spec.overlay->lowers.empty())
    throw Error(ErrorCode::invalid_input, "an overlay needs at least one lower layer");
  if (!spec.overlay->target.is_absolute() || !names_directory(spec.overlay->target))
    throw Error(ErrorCode::not_found, "the overlay's target '" + spec.overlay->target.native() +
                                          "' is not a directory with a full path");
}

class ShellSandbox final : public Sandbox {
 public:
  ShellSandbox(const Launcher& launcher, StepLife life, SandboxSpec spec, std::string cookie)
      : launcher_(launcher), life_(life), spec_(std::move(spec)), cookie_(std::move(cookie)) {}

  // Files of a workspace keep their space until its mount is gone, also when they are removed before.
  ~ShellSandbox() override {
    if (!mounted_by_ || !is_short_of_space(spec_.overlay->upper)) return;
    try {
      wait_until_ended(mounted_by_, std::chrono::steady_clock::now() + kUnmountTime);
    } catch (const Error& error) {
      log_warn("executor", error.what());
    }
  }
  ShellSandbox(const ShellSandbox&) = delete;
  ShellSandbox& operator=(const ShellSandbox&) = delete;

  std::unique_ptr<Step> start(const StepSpec& step, LogSink& sink) override {
    StepPlace place = make_step_place(spec_.state_dir, cookie_, step);
    try {
      LaunchedStep launched = launch(step, place);
      return make_shell_step(std::move(place), std::move(launched), sink);
    } catch (Error& error) {
      // A command that killed its supervisor at once may have left something.
      if (error.code() != ErrorCode::invalid_input)
        end_step(place, std::chrono::steady_clock::now() + kOrphanTime);
      remove_tree(place.dir);  // the step never was
      error.add_context("step '" + step.id.value + "'");
      throw;
    }
  }

  std::unique_ptr<Step> attach(const StepId& id, std::uint64_t log_offset, LogSink& sink) override {
    check_step_id(id.value);
    StepPlace place = step_place(spec_.state_dir, cookie_, id.value);
    if (!names_directory(place.dir)) return nullptr;
    return attach_shell_step(std::move(place), log_offset, sink);
  }

  std::unique_ptr<TerminalSession> open_terminal(const StepSpec& step) override {
    return open_shell_terminal(step, own_program(), [this](const StepSpec& on_terminal, LogSink& sink) {
      return start(on_terminal, sink);
    });
  }

 private:
  LaunchRequest lower(const StepSpec& step, const StepPlace& place) const {
    LaunchRequest request;
    request.argv = step.argv;
    request.env.reserve(step.env.size() + 1);
    for (const auto& [name, value] : step.env) request.env.push_back(name + "=" + value);
    request.env.push_back(place.cookie);
    request.cwd = step.cwd.empty() ? spec_.workspace.native() : step.cwd.native();
    request.step_dir = place.dir.native();
    request.overlay = spec_.overlay;
    request.file_size_bytes = spec_.file_size_bytes;
    request.outlives_runner = life_ == StepLife::beyond_runner;
    return request;
  }

  LaunchedStep launch(const StepSpec& step, const StepPlace& place) {
    // Two mounts must not share a writable layer, and that of the step before may live a moment longer.
    if (mounted_by_ && !wait_until_ended(mounted_by_, std::chrono::steady_clock::now() + kUnmountTime))
      throw Error(ErrorCode::timeout, "the workspace of the step before stays mounted");
    LaunchedStep launched = launcher_.launch(lower(step, place));
    if (spec_.overlay) mounted_by_.reset(::fcntl(launched.pidfd.get(), F_DUPFD_CLOEXEC, 0));
    return launched;
  }

  const Launcher& launcher_;
  const StepLife life_;
  SandboxSpec spec_;
  std::string cookie_;
  UniqueFd mounted_by_;  // the supervisor of the last step
};

std::optional<std::pair<SandboxSpec, std::string>> load(const SandboxId& id, const fs::path& state_dir) {
  const auto bytes = read_file(state_dir / kSandboxFile);
  if (!bytes) return std::nullopt;
  auto stored = decode_sandbox(*bytes);
  if (stored.first.id != id) return std::nullopt;
  stored.first.state_dir = state_dir;
  return stored;
}

}  // namespace

Capabilities ShellExecutor::probe() {
  Capabilities capabilities;
  capabilities.reattach = true;
  return capabilities;
}

std::unique_ptr<Sandbox> ShellExecutor::prepare(const SandboxSpec& spec, LogSink&, std::stop_token stop) {
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the preparation was cancelled");
  check(spec);
  std::string cookie = random_cookie();
  constexpr unsigned kPrivate = 0600;
  write_file_atomic(spec.state_dir / kSandboxFile, encode(spec, cookie), kPrivate, false);
  return std::make_unique<ShellSandbox>(launcher_, life_, spec, std::move(cookie));
}

std::unique_ptr<Sandbox> ShellExecutor::reopen(const SandboxId& id, const fs::path& state_dir) {
  auto stored = load(id, state_dir);
  if (!stored) return nullptr;
  return std::make_unique<ShellSandbox>(launcher_, life_, std::move(stored->first),
                                        std::move(stored->second));
}

void ShellExecutor::destroy(const SandboxId& id, const fs::path& state_dir, Deadline deadline) {
  const auto stored = load(id, state_dir);
  if (!stored) return;
  end_steps(state_dir, stored->second, deadline);
  remove_tree(state_dir / kSandboxFile);  // last: until then destroy() can be repeated
}

}  // namespace runner::executors
