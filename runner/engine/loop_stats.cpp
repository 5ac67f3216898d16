#include "runner/engine/loop_stats.h"

namespace runner::engine {

LoopStats::Turn::~Turn() {
  stats_.step_.store(kNoStep, kRelaxed);
  stats_.turns_.add(stats_.clock_.steady_now() - began_);
}

std::optional<std::chrono::duration<double>> LoopStats::since_step() const noexcept {
  const SteadyPoint::rep step = step_.load(kRelaxed);
  if (step == kNoStep) return std::nullopt;
  return clock_.steady_now() - SteadyPoint(SteadyPoint::duration(step));
}

}  // namespace runner::engine
