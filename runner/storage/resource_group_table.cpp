#include "runner/storage/resource_group_table.h"

#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

constexpr std::size_t kMaxGroupName = 255;

std::vector<ResourceGroupRecord> to_records(const std::vector<Row>& rows) {
  std::vector<ResourceGroupRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) records.push_back({as_integer(row[0]), as_text(row[1]), as_text(row[2])});
  return records;
}

}  // namespace

void ResourceGroupModes::put(const ResourceGroupRecord& record) {
  check_project(tx_, record.project);
  check_text("the name of the resource group", record.name, kMaxGroupName);
  tx_.sql().exec(
      "INSERT INTO resource_groups (project_id, name, mode) VALUES ($1, $2, $3) "
      "ON CONFLICT (project_id, name) DO UPDATE SET mode = excluded.mode",
      {record.project, record.name, record.mode});
}

std::vector<ResourceGroupRecord> ResourceGroupModes::of_project(std::int64_t project) {
  return to_records(tx_.sql().query(
      "SELECT project_id, name, mode FROM resource_groups WHERE project_id = $1 ORDER BY name", {project}));
}

std::vector<ResourceGroupRecord> ResourceGroupModes::all() {
  return to_records(
      tx_.sql().query("SELECT project_id, name, mode FROM resource_groups ORDER BY project_id, name", {}));
}

}  // namespace runner::storage
