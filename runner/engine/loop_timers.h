#pragma once
// When each pipeline wants to be looked at again. The engine thread owns it; others may count, so there is a
// lock, which nobody holds for long.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runner/base/clock.h"
#include "runner/base/synchronized.h"

namespace runner::engine {

class LoopTimers {
 public:
  struct Due {
    SteadyPoint when;
    std::int64_t pipeline = 0;
  };
  /// In place of the one it had; nullopt: it waits for no time.
  void set(std::int64_t pipeline, std::optional<SteadyPoint> when);
  /// They stay until they are set anew. The longest due come first.
  std::vector<Due> due(SteadyPoint now) const;
  std::optional<SteadyPoint> next() const;
  /// Any thread.
  std::size_t overdue(SteadyPoint now) const { return due(now).size(); }

 private:
  struct Times {
    std::set<std::pair<SteadyPoint, std::int64_t>> in_order;
    std::map<std::int64_t, SteadyPoint> of;
  };
  mutable Synchronized<Times> times_;
};

}  // namespace runner::engine
