#include "runner/engine/backlog.h"

namespace runner::engine {

void Backlog::add(const std::string& project, const Place& place) {
  if (!known_.try_emplace(place.pipeline, project, place.priority).second) return;
  projects_[project].emplace(-place.priority, place.pipeline);
}

void Backlog::remove(std::int64_t pipeline) {
  const auto found = known_.find(pipeline);
  if (found == known_.end()) return;
  const auto home = projects_.find(found->second.first);
  home->second.erase({-found->second.second, pipeline});
  if (home->second.empty()) projects_.erase(home);
  known_.erase(found);
}

std::optional<Backlog::Place> Backlog::first(const std::string& project) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return std::nullopt;
  const auto& [negated, pipeline] = *found->second.begin();
  return Place{pipeline, -negated};
}

}  // namespace runner::engine
