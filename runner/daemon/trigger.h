#pragma once
// Why a pipeline is to be made. A value.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace runner::daemon {

/// What a pipeline of a merge request knows of it.
struct MergeRequestTrigger {
  std::int64_t number = 0;
  std::string source_branch, target_branch;  // the source is "" when it is not known, or of a fork
  std::string title;                         // may be empty
  std::string base;                          // the merge base with the target; "" = there is none
};

struct Trigger {
  std::string ref;     // full name
  std::string sha;     // the commit; the mirror has it
  std::string before;  // what the ref was before; "" = it is new
  std::string source = "push";
  std::string started_by;
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> predefined;  // variables that tell of it, below all others
  bool asked = false;                             // also for a commit that had one
  bool scheduled = false;                         // likewise, but nobody waits to hear what is wrong
  std::optional<MergeRequestTrigger> merge_request = {};
  std::optional<std::int64_t> priority = {};  // nullopt: that of the project
};

/// A push is seen once: its ref's head is noted, and of a commit of a ref there is one pipeline.
inline bool is_push(const Trigger& trigger) {
  return !trigger.asked && !trigger.scheduled;
}

}  // namespace runner::daemon
