#pragma once
// Which projects and schedules a configuration file keeps, so that nobody else changes what it says of them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/storage/store.h"

namespace runner::storage {

enum class ConfiguredKind : std::uint8_t { project, schedule };
/// The text that is stored: the enumerator's name.
std::string_view to_string(ConfiguredKind kind) noexcept;

/// The field that stands for the process mode of a resource group.
std::string resource_group_field(std::string_view group);

struct ConfiguredRecord {
  ConfiguredKind kind = ConfiguredKind::project;
  std::int64_t id = 0;       // of the project or the schedule
  std::int64_t project = 0;  // that it is, or belongs to
  std::string name;          // what the file calls it
  std::string file;          // path, for messages
  std::vector<std::string> fields;
};

class Configured {
 public:
  explicit Configured(Tx& tx) noexcept : tx_(tx) {}
  std::optional<ConfiguredRecord> find(ConfiguredKind kind, std::int64_t id);
  /// By kind and id.
  std::vector<ConfiguredRecord> all();
  std::vector<ConfiguredRecord> of_project(std::int64_t project);
  /// Adds it, or takes the place of what is there. Throws Error{not_found} without the project,
  /// {invalid_input} for texts that cannot be.
  void put(const ConfiguredRecord& record);
  /// Fine when it is gone already.
  void remove(ConfiguredKind kind, std::int64_t id);
  /// The project, and what belongs to it.
  void remove_of_project(std::int64_t project);
  void clear();

 private:
  Tx& tx_;
};

}  // namespace runner::storage
