#include "runner/engine/loop_timers.h"

namespace runner::engine {

void LoopTimers::set(std::int64_t pipeline, std::optional<SteadyPoint> when) {
  auto times = times_.lock();
  if (const auto known = times->of.find(pipeline); known != times->of.end()) {
    times->in_order.erase({known->second, pipeline});
    times->of.erase(known);
  }
  if (!when) return;
  times->in_order.emplace(*when, pipeline);
  times->of.emplace(pipeline, *when);
}

std::vector<LoopTimers::Due> LoopTimers::due(SteadyPoint now) const {
  std::vector<Due> due;
  auto times = times_.lock();
  for (const auto& [when, pipeline] : times->in_order) {
    if (when > now) break;
    due.push_back({when, pipeline});
  }
  return due;
}

std::optional<SteadyPoint> LoopTimers::next() const {
  auto times = times_.lock();
  if (times->in_order.empty()) return std::nullopt;
  return times->in_order.begin()->first;
}

}  // namespace runner::engine
