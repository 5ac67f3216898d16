#include "runner/storage/ref_table.h"

#include "runner/storage/row.h"

namespace runner::storage {
namespace {

RefHeadRecord to_ref_head(const Row& row) {
  return {as_integer(row[0]), as_text(row[1]), as_text(row[2]), as_time(row[3])};
}

}  // namespace

std::optional<RefHeadRecord> RefHeads::find(std::int64_t project, const std::string& ref) {
  const auto rows = tx_.sql().query(
      "SELECT project_id, ref, sha, seen_at FROM ref_heads WHERE project_id = $1 AND ref = $2",
      {project, ref});
  if (rows.empty()) return std::nullopt;
  return to_ref_head(rows[0]);
}

void RefHeads::upsert(const RefHeadRecord& record) {
  check_project(tx_, record.project);
  tx_.sql().exec(
      "INSERT INTO ref_heads (project_id, ref, sha, seen_at) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (project_id, ref) DO UPDATE SET sha = excluded.sha, seen_at = excluded.seen_at",
      {record.project, record.ref, record.sha, to_value(record.seen_at)});
}

void RefHeads::remove(std::int64_t project, const std::string& ref) {
  tx_.sql().exec("DELETE FROM ref_heads WHERE project_id = $1 AND ref = $2", {project, ref});
}

std::vector<RefHeadRecord> RefHeads::of_project(std::int64_t project) {
  std::vector<RefHeadRecord> heads;
  for (const Row& row : tx_.sql().query(
           "SELECT project_id, ref, sha, seen_at FROM ref_heads WHERE project_id = $1 ORDER BY ref",
           {project})) {
    heads.push_back(to_ref_head(row));
  }
  return heads;
}

}  // namespace runner::storage
