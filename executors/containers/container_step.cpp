#include "executors/containers/container_step.h"

#include <utility>

#include "executors/containers/container_client.h"
#include "executors/containers/engine_things.h"
#include "executors/containers/services.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::executors {
namespace {

constexpr const char* kSettledFile = "settled";
// An engine under load takes seconds to end a container.
constexpr std::chrono::seconds kEndTime{60};

class ContainerStep final : public Step {
 public:
  ContainerStep(StepPlace place, ContainerPlace container, std::unique_ptr<Step> process, LogSink& sink)
      : place_(std::move(place)),
        container_(std::move(container)),
        process_(std::move(process)),
        sink_(sink) {}

  StepEnd wait() override {
    if (!end_) {
      end_ = find_end();
      if (!container_.logged.empty())
        pass_service_logs(container_.api, container_.logged, container_.marker, sink_);
    }
    if (refusal_) throw *refusal_;
    return *end_;
  }

  void stop(std::chrono::milliseconds grace) noexcept override { process_->stop(grace); }

 private:
  StepEnd find_end() {
    StepEnd end = process_->wait();
    if (std::holds_alternative<Stopped>(end)) {
      const std::string alive = settle();
      if (!alive.empty()) return Lost{"it was stopped, but its container cannot be ended: " + alive};
      return end;
    }
    const auto verdict = read_verdict(place_.dir);
    if (!verdict && std::holds_alternative<Exited>(end)) return end;
    if (verdict && verdict->kind == Verdict::Kind::oom) return OomKilled{};
    std::string why = verdict ? verdict->why : lost_process(end);
    const std::string alive = settle();
    if (verdict && verdict->kind != Verdict::Kind::lost) {
      refusal_.emplace(
          verdict->kind == Verdict::Kind::refused ? ErrorCode::invalid_input : ErrorCode::unavailable, why);
    }
    if (!alive.empty()) why += "; its container may still run: " + alive;
    return Lost{why};
  }

  static std::string lost_process(const StepEnd& end) {
    if (const auto* lost = std::get_if<Lost>(&end)) return lost->why;
    return "the process that followed its container was killed";
  }

  // Once: a later step of the sandbox may run in the same container. Empty, or why the container may run on.
  std::string settle() noexcept {
    try {
      if (read_file(place_.dir / kSettledFile)) return {};
      end_container(container_.api, container_.name, std::chrono::steady_clock::now() + kEndTime);
      constexpr unsigned kPrivate = 0600;
      write_file_atomic(place_.dir / kSettledFile, "", kPrivate, false);
      return {};
    } catch (const std::exception& error) {
      log_warn("executor", "a container may run on after its step",
               {{"container", container_.name}, {"why", error.what()}});
      return error.what();
    }
  }

  StepPlace place_;
  ContainerPlace container_;
  std::unique_ptr<Step> process_;
  LogSink& sink_;
  std::optional<StepEnd> end_;
  std::optional<Error> refusal_;
};

}  // namespace

std::unique_ptr<Step> make_container_step(StepPlace place, ContainerPlace container,
                                          std::unique_ptr<Step> process, LogSink& sink) {
  return std::make_unique<ContainerStep>(std::move(place), std::move(container), std::move(process), sink);
}

}  // namespace runner::executors
