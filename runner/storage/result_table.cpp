#include "runner/storage/result_table.h"

#include "runner/storage/row.h"

namespace runner::storage {

void JobResults::put(std::int64_t job, const std::string& content) {
  tx_.sql().query(
      "INSERT INTO job_results (job_id, content) VALUES ($1, $2) "
      "ON CONFLICT (job_id) DO UPDATE SET content = excluded.content",
      {job, content});
}

std::map<std::int64_t, std::string> JobResults::of_pipeline(std::int64_t pipeline) {
  const auto rows = tx_.sql().query(
      "SELECT job_results.job_id, job_results.content FROM job_results "
      "JOIN jobs ON jobs.id = job_results.job_id WHERE jobs.pipeline_id = $1",
      {pipeline});
  std::map<std::int64_t, std::string> found;
  for (const Row& row : rows) found.emplace(as_integer(row[0]), as_text(row[1]));
  return found;
}

}  // namespace runner::storage
