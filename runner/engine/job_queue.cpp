#include "runner/engine/job_queue.h"

#include <utility>

namespace runner::engine {

JobQueue::Turn JobQueue::turn_of(const std::string& name, const Project& project) const {
  return {project.running, project.served, name};
}

void JobQueue::push(const JobRef& job, const std::string& project, int priority) {
  const Place place{-priority, ++arrivals_, job};
  if (!places_.try_emplace(job, project, place).second) return;
  Project& home = projects_[project];
  if (home.waiting.empty()) turns_.insert(turn_of(project, home));
  home.waiting.insert(place);
  ++home.counts[-priority];
}

std::size_t JobQueue::waiting(const std::string& project, int priority) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return 0;
  const auto& counts = found->second.counts;
  std::size_t sum = 0;
  for (auto one = counts.begin(); one != counts.end() && one->first <= -priority; ++one) sum += one->second;
  return sum;
}

void JobQueue::drop(const std::string& name, Project& home, const Place& place) {
  const auto count = home.counts.find(std::get<int>(place));
  if (--count->second == 0) home.counts.erase(count);
  home.waiting.erase(place);
  shrunk_.insert(name);
}

bool JobQueue::remove(const JobRef& job) {
  const auto found = places_.find(job);
  if (found == places_.end()) return false;
  const auto [name, place] = std::move(found->second);
  places_.erase(found);
  Project& home = projects_[name];
  drop(name, home, place);
  if (home.waiting.empty()) turns_.erase(turn_of(name, home));
  forget_idle(name);
  return true;
}

std::optional<JobQueue::Taken> JobQueue::take() {
  if (turns_.empty()) return std::nullopt;
  const std::string name = std::get<std::string>(*turns_.begin());
  turns_.erase(turns_.begin());
  Project& home = projects_[name];
  const Place place = *home.waiting.begin();
  const JobRef job = std::get<JobRef>(place);
  drop(name, home, place);
  places_.erase(job);
  ++home.running;
  home.served = ++servings_;
  if (!home.waiting.empty()) turns_.insert(turn_of(name, home));
  return Taken{job, name};
}

void JobQueue::add_running(const std::string& project, int change) {
  Project& home = projects_[project];
  const bool waits = !home.waiting.empty();
  if (waits) turns_.erase(turn_of(project, home));
  home.running += change;
  if (waits) turns_.insert(turn_of(project, home));
  forget_idle(project);
}

void JobQueue::forget_idle(const std::string& name) {
  const auto found = projects_.find(name);
  if (found != projects_.end() && found->second.waiting.empty() && found->second.running == 0)
    projects_.erase(found);
}

}  // namespace runner::engine
