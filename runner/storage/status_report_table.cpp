#include "runner/storage/status_report_table.h"

#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {

StatusReport StatusReports::of_project(std::int64_t project) {
  const auto rows = tx_.sql().query(
      "SELECT delivered_at, failed_at, failure FROM status_reports WHERE project_id = $1", {project});
  if (rows.empty()) return {};
  return {as_optional_time(rows[0][0]), as_optional_time(rows[0][1]), as_text(rows[0][2])};
}

void StatusReports::delivered(std::int64_t project, TimePoint at) {
  tx_.sql().exec(
      "INSERT INTO status_reports (project_id, delivered_at, failed_at, failure) "
      "SELECT id, $2, NULL, '' FROM projects WHERE id = $1 "
      "ON CONFLICT (project_id) DO UPDATE SET delivered_at = excluded.delivered_at, failure = ''",
      {project, to_value(at)});
}

void StatusReports::failed(std::int64_t project, TimePoint at, std::string_view failure) {
  tx_.sql().exec(
      "INSERT INTO status_reports (project_id, delivered_at, failed_at, failure) "
      "SELECT id, NULL, $2, $3 FROM projects WHERE id = $1 "
      "ON CONFLICT (project_id) DO UPDATE SET failed_at = excluded.failed_at, failure = excluded.failure",
      {project, to_value(at), storable_text(failure)});
}

}  // namespace runner::storage
