#include "runner/engine/job_queue.h"

namespace runner::engine {

void JobQueue::limit(const std::string& executor, std::size_t most) {
  executors_[executor].most = most;
}

void JobQueue::push(const JobRef& job, const Share& share, int priority) {
  const Place place{-priority, ++arrivals_, job};
  if (!places_.try_emplace(job, Waiting{share, place}).second) return;
  Project& home = projects_[share.project];
  auto& waiting = home.waiting[share.executor];
  if (waiting.empty()) executors_[share.executor].turns.insert(turn_of(share.project, home));
  waiting.insert(place);
  ++home.counts[-priority];
}

bool JobQueue::remove(const JobRef& job) {
  const auto found = places_.find(job);
  if (found == places_.end()) return false;
  const Waiting waiting = std::move(found->second);
  places_.erase(found);
  drop(waiting);
  forget_idle(waiting.share.project);
  return true;
}

std::optional<JobQueue::Taken> JobQueue::take() {
  const Turn* next = nullptr;
  for (const auto& [name, executor] : executors_) {
    if (!executor.has_room() || executor.turns.empty()) continue;
    const Turn& first = *executor.turns.begin();
    if (next == nullptr || first < *next) next = &first;
  }
  if (next == nullptr) return std::nullopt;
  const std::string name = std::get<std::string>(*next);
  Project& home = projects_[name];
  const Place* best = nullptr;
  for (const auto& [executor, waiting] : home.waiting) {
    if (!executors_[executor].has_room()) continue;
    if (best == nullptr || *waiting.begin() < *best) best = &*waiting.begin();
  }
  const JobRef job = std::get<JobRef>(*best);
  const Waiting taken = std::move(places_.extract(job).mapped());
  drop(taken);
  ++executors_[taken.share.executor].running;
  change_turn(name, home, [this](Project& project) {
    ++project.running;
    project.served = ++servings_;
  });
  return Taken{job, taken.share};
}

void JobQueue::add_running(const Share& share, int change) {
  Executor& executor = executors_[share.executor];
  executor.running = static_cast<std::size_t>(static_cast<std::int64_t>(executor.running) + change);
  change_turn(share.project, projects_[share.project],
              [change](Project& project) { project.running += change; });
  forget_idle(share.project);
}

std::size_t JobQueue::waiting(const std::string& project, int priority) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return 0;
  const auto& counts = found->second.counts;
  std::size_t sum = 0;
  for (auto one = counts.begin(); one != counts.end() && one->first <= -priority; ++one) sum += one->second;
  return sum;
}

template <typename Change>
void JobQueue::change_turn(const std::string& name, Project& project, const Change& change) {
  for (const auto& [executor, waiting] : project.waiting)
    executors_[executor].turns.erase(turn_of(name, project));
  change(project);
  for (const auto& [executor, waiting] : project.waiting)
    executors_[executor].turns.insert(turn_of(name, project));
}

void JobQueue::drop(const Waiting& waiting) {
  const auto& [share, place] = waiting;
  Project& home = projects_[share.project];
  const auto count = home.counts.find(std::get<int>(place));
  if (--count->second == 0) home.counts.erase(count);
  const auto jobs = home.waiting.find(share.executor);
  jobs->second.erase(place);
  if (jobs->second.empty()) {
    executors_[share.executor].turns.erase(turn_of(share.project, home));
    home.waiting.erase(jobs);
  }
  shrunk_.insert(share.project);
}

void JobQueue::forget_idle(const std::string& name) {
  const auto found = projects_.find(name);
  if (found != projects_.end() && found->second.waiting.empty() && found->second.running == 0)
    projects_.erase(found);
}

}  // namespace runner::engine
