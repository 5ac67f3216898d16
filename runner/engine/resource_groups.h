#pragma once
// Who holds a resource group, over all pipelines of a project, and who gets it next (the dialect's
// resource_group with its process modes). Pure; one thread.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/engine/job_queue.h"

namespace runner::engine {

enum class ResourceMode : std::uint8_t {
  unordered,           // whoever waits, in order of arrival
  oldest_first,        // of the lowest pipeline that is going to want it; the others wait for that one
  newest_first,        // the same with the highest
  newest_ready_first,  // of the highest pipeline among those that wait
};
std::string_view to_string(ResourceMode mode) noexcept;
std::optional<ResourceMode> parse_resource_mode(std::string_view text) noexcept;

class ResourceGroups {
 public:
  /// Project and name.
  using Key = std::pair<std::string, std::string>;

  /// Default: unordered. Takes effect with the next one that gets it.
  void set_mode(const Key& group, ResourceMode mode);

  /// The job will want it one day (it is created or waits for a time).
  void expect(const Key& group, const JobRef& job);
  /// Its turn has come: true when it has the group now, else it waits.
  bool request(const Key& group, const JobRef& job);
  /// It had the group when it was seen last, in another life of this process.
  void restore(const Key& group, const JobRef& job);
  /// It wants it no more, or gives it back. Fine when it had nothing to do with it.
  void leave(const Key& group, const JobRef& job);

  /// Those that waited and have got it, since this was asked last.
  std::vector<JobRef> take_granted() { return std::exchange(granted_, {}); }

 private:
  struct Group {
    ResourceMode mode = ResourceMode::unordered;
    std::optional<JobRef> holder;
    std::deque<JobRef> waiting;  // in order of arrival
    std::set<JobRef> expected;
  };
  static std::optional<JobRef> next_of(const Group& group);
  void hand_on(Group& group);

  std::map<Key, Group> groups_;
  std::vector<JobRef> granted_;
};

}  // namespace runner::engine
