#include "runner/daemon/resource_modes.h"

#include <utility>
#include <vector>

#include "runner/storage/project_table.h"
#include "runner/storage/resource_group_table.h"

namespace runner::daemon {

void load_resource_modes(storage::Store& store, engine::Engine& engine) {
  std::vector<std::pair<engine::ResourceGroups::Key, engine::ResourceMode>> chosen;
  store.read([&](storage::Tx& tx) {
    chosen.clear();
    for (const auto& group : storage::ResourceGroupModes(tx).all()) {
      const auto project = storage::Projects(tx).find(group.project);
      const auto mode = engine::parse_resource_mode(group.mode);
      if (project && mode) chosen.push_back({{project->name, group.name}, *mode});
    }
  });
  for (const auto& [group, mode] : chosen) engine.set_resource_mode(group, mode);
}

}  // namespace runner::daemon
