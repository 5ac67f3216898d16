#pragma once
// Jobs whose turn it is, of all pipelines, and which of them goes next when there is room. Pure; one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace runner::engine {

/// A job of a pipeline.
struct JobRef {
  std::int64_t pipeline = 0;
  std::size_t job = 0;  // into Plan::jobs
  bool operator==(const JobRef&) const = default;
  bool operator<(const JobRef& other) const {
    return std::tie(pipeline, job) < std::tie(other.pipeline, other.job);
  }
};

/// Fair between projects: next is a job of the project that runs the fewest, of several the one served
/// longest ago; within a project the highest priority, then the order of arrival. So a project with ten
/// thousand jobs waiting delays another one's by at most the job that happens to end last. Each call costs
/// the logarithm of what waits.
class JobQueue {
 public:
  /// Fine when it is there already: it keeps its place.
  void push(const JobRef& job, const std::string& project, int priority);
  /// It will not be wanted any more. False when it does not wait.
  bool remove(const JobRef& job);
  struct Taken {
    JobRef job;
    std::string project;
  };
  /// The next one, which from now on counts as running. nullopt when none waits.
  std::optional<Taken> take();
  /// One that was taken has ended; or runs since before, when `running` is more.
  void add_running(const std::string& project, int change);
  bool waits(const JobRef& job) const { return places_.contains(job); }
  std::size_t size() const noexcept { return places_.size(); }
  /// How many jobs of a project wait that have this priority or more.
  std::size_t waiting(const std::string& project, int priority) const;
  /// Projects of which fewer wait than when this was asked the last time.
  std::set<std::string> take_shrunk() { return std::exchange(shrunk_, {}); }

 private:
  using Place = std::tuple<int, std::uint64_t, JobRef>;  // priority (negated), arrival
  struct Project {
    std::set<Place> waiting;
    std::map<int, std::size_t> counts;  // of them, by priority (negated)
    std::int64_t running = 0;
    std::uint64_t served = 0;  // when: the larger the later
  };
  using Turn = std::tuple<std::int64_t, std::uint64_t, std::string>;  // running, served, project

  Turn turn_of(const std::string& name, const Project& project) const;
  void forget_idle(const std::string& name);
  void drop(const std::string& name, Project& home, const Place& place);

  std::map<std::string, Project> projects_;
  std::set<Turn> turns_;  // of the projects with jobs that wait
  std::map<JobRef, std::pair<std::string, Place>> places_;
  std::set<std::string> shrunk_;
  std::uint64_t arrivals_ = 0, servings_ = 0;
};

}  // namespace runner::engine
