#pragma once
// What a script target was told so far. Internal to this folder; one thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "deployments/target.h"

namespace runner::deployments {

struct ScriptState {
  struct Held {
    std::string release;          // what was placed
    std::string running;          // what was started of it; "" = nothing
    std::string admission = "-";  // as of the balancer's twin; "-": never told
    unsigned weight = 0;
  };
  std::map<Slot, Held> slots;
  std::string base;               // what ran in `single` before,
  std::uint64_t base_token = 0;   // and the deployment that replaced it
  std::optional<Slot> candidate;  // the slot that was placed last
  unsigned share = 0;             // of the candidate, as was last activated
  // What was begun and is not known to have been done: it may have had any effect.
  std::string begun;    // a release, in `single`
  bool moving = false;  // the candidate's share
};

/// Throws Error{corrupt}. A missing file is an empty state.
ScriptState read_script_state(const std::filesystem::path& file);
void write_script_state(const std::filesystem::path& file, const ScriptState& state);

}  // namespace runner::deployments
