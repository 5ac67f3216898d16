#include "runner/storage/event_table.h"

#include <string_view>
#include <utility>

#include "runner/storage/row.h"

namespace runner::storage {
namespace {

LogRecord to_event(const Row& row) {
  return {as_integer(row[0]),
          as_optional_integer(row[1]),
          as_optional_integer(row[2]),
          as_optional_integer(row[3]),
          as_text(row[4]),
          as_text(row[5]),
          as_time(row[6])};
}

}  // namespace

std::int64_t EventLog::append(const LogRecord& event) {
  const std::int64_t seq = tx_.take_ids("events", 1);
  tx_.sql().exec(
      "INSERT INTO events (seq, project_id, pipeline_id, job_id, kind, payload, happened_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      {seq, to_value(event.project), to_value(event.pipeline), to_value(event.job), event.kind, event.payload,
       to_value(event.at)});
  return seq;
}

std::vector<LogRecord> EventLog::after(std::int64_t seq, std::size_t limit, const LogFilter& filter) {
  std::string sql =
      "SELECT seq, project_id, pipeline_id, job_id, kind, payload, happened_at FROM events WHERE seq > $1";
  std::vector<Value> args = {seq};
  const auto must = [&](const char* condition, std::int64_t value) {
    args.emplace_back(value);
    sql += condition + std::to_string(args.size());
  };
  if (filter.project) must(" AND project_id = $", *filter.project);
  if (filter.pipeline) must(" AND pipeline_id = $", *filter.pipeline);
  args.push_back(limit_value(limit));
  sql += " ORDER BY seq LIMIT $" + std::to_string(args.size());
  std::vector<LogRecord> events;
  for (const Row& row : tx_.sql().query(sql, args)) events.push_back(to_event(row));
  return events;
}

std::int64_t EventLog::last() {
  return as_integer(tx_.sql().query("SELECT value FROM sequences WHERE name = 'events'", {})[0][0]);
}

std::int64_t EventLog::pruned() {
  const auto rows = tx_.sql().query("SELECT seq FROM events ORDER BY seq LIMIT 1", {});
  return rows.empty() ? last() : as_integer(rows[0][0]) - 1;
}

std::size_t EventLog::prune(std::int64_t seq) {
  return static_cast<std::size_t>(
      tx_.sql().exec("DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= $1 "
                     "ORDER BY seq LIMIT $2)",
                     {seq, limit_value(kMaxPage)}));
}

std::size_t EventLog::prune_before(TimePoint time) {
  // Until the first that stays, by number and not by time: a log with holes would deceive who reads on from
  // one.
  std::int64_t until = 0;
  for (const Row& row : tx_.sql().query("SELECT seq, happened_at FROM events ORDER BY seq LIMIT $1",
                                        {limit_value(kMaxPage)})) {
    if (as_time(row[1]) >= time) break;
    until = as_integer(row[0]);
  }
  return prune(until);
}

}  // namespace runner::storage
