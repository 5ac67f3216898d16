#include "deployments/watch.h"

#include <algorithm>

#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;

constexpr const char* kCanceled = "its job was canceled";

std::string minutes(milliseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return seconds % 60 == 0 && seconds > 0 ? std::to_string(seconds / 60) + " min"
                                          : std::to_string(seconds) + " s";
}

}  // namespace

Watch::Watch(const storage::DeploymentRecord& record, const pipelines::DeployTimeouts& timeouts,
             const DriverParts& parts, std::stop_token abort)
    : deployment_(record.id),
      fence_(record.fence),
      timeouts_(timeouts),
      parts_(parts),
      abort_(std::move(abort)) {
  // What the processes before this one used up counts; a clock that was set back gives none of it back.
  const auto used =
      record.locked_at ? std::max(parts_.clock.now() - *record.locked_at, milliseconds(0)) : milliseconds(0);
  const SteadyPoint now = parts_.clock.steady_now();
  total_end_ = now + std::max(timeouts_.total - used, milliseconds(0));
  seen_.lock()->progress_end = now + timeouts_.progress;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    do look();
    while (wait_for(parts_.poll, stop));
  });
}

Watch::~Watch() = default;

void Watch::check() {
  if (abort_.stop_requested()) end(Trouble::abort, kCanceled);
  auto seen = seen_.lock();
  if (seen->lost) throw LostFence();
  if (!seen->retreating && seen->ended) throw PhaseFailed(seen->ended->first, seen->ended->second);
}

void Watch::progressed(bool paused) {
  auto seen = seen_.lock();
  seen->progress_end = parts_.clock.steady_now() + timeouts_.progress;
  seen->paused = paused;
}

void Watch::retreat() {
  seen_.lock()->retreating = true;
}

void Watch::end(Trouble trouble, std::string why) {
  {
    auto seen = seen_.lock();
    if (seen->ended) return;
    seen->ended = std::make_pair(trouble, std::move(why));
  }
  stop_.request_stop();
}

void Watch::look() {
  try {
    std::optional<storage::DeploymentRecord> now;
    parts_.store.read([&](storage::Tx& tx) { now = storage::Deployments(tx).find(deployment_); });
    if (!now || now->fence != fence_) {
      seen_.lock()->lost = true;
      stop_.request_stop();
      return;
    }
    if (now->request == "abort") return end(Trouble::abort, "it was aborted by a person");
  } catch (const Error&) {
    // Whoever writes next is told why the store fails.
  }
  if (abort_.stop_requested()) return end(Trouble::abort, kCanceled);
  const SteadyPoint time = parts_.clock.steady_now();
  if (time >= total_end_)
    return end(Trouble::timeout, "it took longer than " + minutes(timeouts_.total) + " (timeout:total)");
  bool late = false;
  {
    auto seen = seen_.lock();
    late = !seen->paused && time >= seen->progress_end;
  }
  if (late)
    end(Trouble::timeout, "nothing was achieved for " + minutes(timeouts_.progress) + " (timeout:progress)");
}

}  // namespace runner::deployments
