#include "runner/engine/resource_groups.h"

#include <algorithm>
#include <array>

namespace runner::engine {
namespace {

constexpr std::array<std::pair<ResourceMode, std::string_view>, 4> kModes{{
    {ResourceMode::unordered, "unordered"},
    {ResourceMode::oldest_first, "oldest_first"},
    {ResourceMode::newest_first, "newest_first"},
    {ResourceMode::newest_ready_first, "newest_ready_first"},
}};

/// The first to arrive of those of one pipeline.
std::optional<JobRef> first_of(const std::deque<JobRef>& waiting, std::int64_t pipeline) {
  const auto found = std::find_if(waiting.begin(), waiting.end(),
                                  [&](const JobRef& job) { return job.pipeline == pipeline; });
  return found == waiting.end() ? std::nullopt : std::optional<JobRef>(*found);
}

}  // namespace

std::string_view to_string(ResourceMode mode) noexcept {
  for (const auto& [known, text] : kModes)
    if (known == mode) return text;
  return "unordered";
}

std::optional<ResourceMode> parse_resource_mode(std::string_view text) noexcept {
  for (const auto& [mode, known] : kModes)
    if (known == text) return mode;
  return std::nullopt;
}

void ResourceGroups::set_mode(const Key& group, ResourceMode mode) {
  Group& found = groups_[group];
  found.mode = mode;
  hand_on(found);
}

void ResourceGroups::expect(const Key& group, const JobRef& job) {
  groups_[group].expected.insert(job);
}

bool ResourceGroups::request(const Key& group, const JobRef& job) {
  Group& found = groups_[group];
  found.expected.erase(job);
  if (found.holder == job) return true;
  if (std::find(found.waiting.begin(), found.waiting.end(), job) == found.waiting.end())
    found.waiting.push_back(job);
  if (found.holder || next_of(found) != job) return false;
  std::erase(found.waiting, job);
  found.holder = job;
  return true;
}

void ResourceGroups::restore(const Key& group, const JobRef& job) {
  Group& found = groups_[group];
  found.expected.erase(job);
  std::erase(found.waiting, job);
  found.holder = job;
}

void ResourceGroups::leave(const Key& group, const JobRef& job) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  Group& left = found->second;
  left.expected.erase(job);
  std::erase(left.waiting, job);
  if (left.holder == job) left.holder.reset();
  std::erase(granted_, job);
  hand_on(left);
  const bool empty = !left.holder && left.waiting.empty() && left.expected.empty();
  if (empty && left.mode == ResourceMode::unordered) groups_.erase(found);
}

std::optional<JobRef> ResourceGroups::next_of(const Group& group) {
  if (group.waiting.empty()) return std::nullopt;
  const auto by_pipeline = [](const JobRef& one, const JobRef& other) {
    return one.pipeline < other.pipeline;
  };
  const auto [lowest, highest] = std::minmax_element(group.waiting.begin(), group.waiting.end(), by_pipeline);
  switch (group.mode) {
    case ResourceMode::unordered:
      return group.waiting.front();
    case ResourceMode::newest_ready_first:
      return first_of(group.waiting, highest->pipeline);
    case ResourceMode::oldest_first: {
      // Sorted by pipeline first.
      const bool earlier = !group.expected.empty() && group.expected.begin()->pipeline < lowest->pipeline;
      return earlier ? std::nullopt : first_of(group.waiting, lowest->pipeline);
    }
    case ResourceMode::newest_first: {
      const bool later = !group.expected.empty() && group.expected.rbegin()->pipeline > highest->pipeline;
      return later ? std::nullopt : first_of(group.waiting, highest->pipeline);
    }
  }
  return std::nullopt;
}

void ResourceGroups::hand_on(Group& group) {
  if (group.holder) return;
  group.holder = next_of(group);
  if (!group.holder) return;
  std::erase(group.waiting, *group.holder);
  granted_.push_back(*group.holder);
}

}  // namespace runner::engine
