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
/// thousand jobs waiting delays another one's by at most the job that happens to end last. Jobs of an
/// executor that has no room are passed over. Each call costs the logarithm of what waits, for each executor
/// there is.
class JobQueue {
 public:
  /// Who counts for whom a job runs.
  struct Share {
    std::string project, executor;
    bool operator==(const Share&) const = default;
  };

  /// At most so many jobs of this executor run at a time. Without it as many as are taken.
  void limit(const std::string& executor, std::size_t most);
  /// Fine when it is there already: it keeps its place.
  void push(const JobRef& job, const Share& share, int priority);
  /// It will not be wanted any more. False when it does not wait.
  bool remove(const JobRef& job);
  struct Taken {
    JobRef job;
    Share share;
  };
  /// The next one, which from now on counts as running. nullopt when none waits that has room.
  std::optional<Taken> take();
  /// One that was taken has ended; or runs since before, when `change` is more.
  void add_running(const Share& share, int change);
  bool waits(const JobRef& job) const { return places_.contains(job); }
  std::size_t size() const noexcept { return places_.size(); }
  /// How many jobs of a project wait that have this priority or more.
  std::size_t waiting(const std::string& project, int priority) const;
  /// Projects of which fewer wait than when this was asked the last time.
  std::set<std::string> take_shrunk() { return std::exchange(shrunk_, {}); }

 private:
  using Place = std::tuple<int, std::uint64_t, JobRef>;               // priority (negated), arrival
  using Turn = std::tuple<std::int64_t, std::uint64_t, std::string>;  // running, served, project
  struct Project {
    std::map<std::string, std::set<Place>> waiting;  // by executor; none is empty
    std::map<int, std::size_t> counts;               // of all, by priority (negated)
    std::int64_t running = 0;
    std::uint64_t served = 0;  // when: the larger the later
  };
  struct Executor {
    std::optional<std::size_t> most;
    std::size_t running = 0;
    std::set<Turn> turns;  // of the projects with jobs that wait for it
    bool has_room() const noexcept { return !most || running < *most; }
  };
  struct Waiting {
    Share share;
    Place place;
  };

  static Turn turn_of(const std::string& name, const Project& project) {
    return {project.running, project.served, name};
  }
  /// Changes what a project's turn is made of.
  template <typename Change>
  void change_turn(const std::string& name, Project& project, const Change& change);
  void drop(const Waiting& waiting);
  void forget_idle(const std::string& name);

  std::map<std::string, Project> projects_;
  std::map<std::string, Executor> executors_;
  std::map<JobRef, Waiting> places_;
  std::set<std::string> shrunk_;
  std::uint64_t arrivals_ = 0, servings_ = 0;
};

}  // namespace runner::engine
