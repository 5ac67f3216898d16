#pragma once
// Pipelines that wait in the store until there is room for their jobs. Pure; one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runner::engine {

/// Those of which no job has begun, where more jobs wait than will have room soon: kept as numbers, so that a
/// hundred thousand jobs that wait cost next to nothing, in memory and at a start. In each project they come
/// by priority, then in order of their ids, which is that of their arrival.
class Backlog {
 public:
  struct Place {
    std::int64_t pipeline = 0;
    int priority = 0;
    /// Whether the other one comes later.
    bool before(const Place& other) const noexcept {
      return priority != other.priority ? priority > other.priority : pipeline < other.pipeline;
    }
  };

  void add(const std::string& project, const Place& place);
  /// Fine when it is not there.
  void remove(std::int64_t pipeline);
  /// The next one of a project.
  std::optional<Place> first(const std::string& project) const;
  std::size_t size() const noexcept { return known_.size(); }

 private:
  using Order = std::pair<int, std::int64_t>;  // priority (negated), pipeline
  std::map<std::string, std::set<Order>> projects_;
  std::map<std::int64_t, std::pair<std::string, int>> known_;
};

}  // namespace runner::engine
