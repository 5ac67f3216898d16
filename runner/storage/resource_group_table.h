#pragma once
// Process modes of resource groups (the dialect's resource_group), where one was chosen.

#include <cstdint>
#include <string>
#include <vector>

#include "runner/storage/store.h"

namespace runner::storage {

struct ResourceGroupRecord {
  std::int64_t project = 0;
  std::string name;
  std::string mode;  // text of the caller's form
};

class ResourceGroupModes {
 public:
  explicit ResourceGroupModes(Tx& tx) noexcept : tx_(tx) {}
  /// In place of what was chosen before. Throws Error{not_found} without the project, Error{invalid_input}
  /// for texts that cannot be.
  void put(const ResourceGroupRecord& record);
  /// By name.
  std::vector<ResourceGroupRecord> of_project(std::int64_t project);
  std::vector<ResourceGroupRecord> all();

 private:
  Tx& tx_;
};

}  // namespace runner::storage
