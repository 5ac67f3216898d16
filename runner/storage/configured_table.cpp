#include "runner/storage/configured_table.h"

#include "runner/base/text.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

constexpr std::size_t kMaxText = 4096;

ConfiguredRecord to_configured(const Row& row) {
  ConfiguredRecord record;
  record.kind =
      as_enumerator(row[0], {ConfiguredKind::project, ConfiguredKind::schedule}, "kind of configured thing");
  record.id = as_integer(row[1]);
  record.project = as_integer(row[2]);
  record.name = as_text(row[3]);
  record.file = as_text(row[4]);
  const std::string& fields = as_text(row[5]);
  if (fields.empty()) return record;
  for (const std::string_view field : split(fields, '\n')) record.fields.emplace_back(field);
  return record;
}

std::vector<ConfiguredRecord> to_records(const std::vector<Row>& rows) {
  std::vector<ConfiguredRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) records.push_back(to_configured(row));
  return records;
}

Value kind_value(ConfiguredKind kind) {
  return std::string(to_string(kind));
}

}  // namespace

std::string_view to_string(ConfiguredKind kind) noexcept {
  return kind == ConfiguredKind::project ? "project" : "schedule";
}

std::string resource_group_field(std::string_view group) {
  return "resource_groups." + std::string(group);
}

std::optional<ConfiguredRecord> Configured::find(ConfiguredKind kind, std::int64_t id) {
  const auto rows = tx_.sql().query(
      "SELECT kind, object_id, project_id, name, file, fields FROM configured WHERE kind = $1 AND object_id "
      "= "
      "$2",
      {kind_value(kind), id});
  if (rows.empty()) return std::nullopt;
  return to_configured(rows[0]);
}

std::vector<ConfiguredRecord> Configured::all() {
  return to_records(tx_.sql().query(
      "SELECT kind, object_id, project_id, name, file, fields FROM configured ORDER BY kind, object_id", {}));
}

std::vector<ConfiguredRecord> Configured::of_project(std::int64_t project) {
  return to_records(tx_.sql().query(
      "SELECT kind, object_id, project_id, name, file, fields FROM configured WHERE project_id = $1 "
      "ORDER BY kind, object_id",
      {project}));
}

void Configured::put(const ConfiguredRecord& record) {
  check_text("the name", record.name, kMaxText);
  check_text("the path of the configuration file", record.file, kMaxText);
  check_project(tx_, record.project);
  tx_.sql().exec(
      "INSERT INTO configured (kind, object_id, project_id, name, file, fields) VALUES ($1, $2, $3, $4, $5, "
      "$6) "
      "ON CONFLICT (kind, object_id) DO UPDATE SET project_id = $3, name = $4, file = $5, fields = $6",
      {kind_value(record.kind), record.id, record.project, record.name, record.file,
       join(record.fields, "\n")});
}

void Configured::remove(ConfiguredKind kind, std::int64_t id) {
  tx_.sql().exec("DELETE FROM configured WHERE kind = $1 AND object_id = $2", {kind_value(kind), id});
}

void Configured::remove_of_project(std::int64_t project) {
  tx_.sql().exec("DELETE FROM configured WHERE project_id = $1", {project});
}

void Configured::clear() {
  tx_.sql().exec("DELETE FROM configured", {});
}

}  // namespace runner::storage
