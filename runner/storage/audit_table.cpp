#include "runner/storage/audit_table.h"

#include <limits>
#include <utility>

#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {

std::int64_t AuditLog::append(AuditRecord record) {
  for (std::string* text :
       {&record.actor, &record.source, &record.object, &record.project, &record.environment, &record.reason,
        &record.before, &record.after, &record.request})
    *text = storable_text(*text);
  const std::int64_t seq = tx_.take_ids("audit", 1);
  const std::string text = canonical_record(record, seq);
  tx_.sql().exec(
      "INSERT INTO audit_log (seq, happened_at, actor, action, project, environment, result, record, hash) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      {seq, to_value(record.at), record.actor, record.action, record.project, record.environment,
       std::string(to_string(record.result)), text, audit_hash(head().hash, text)});
  return seq;
}

AuditHead AuditLog::head() {
  const auto rows = tx_.sql().query("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1", {});
  return rows.empty() ? AuditHead{} : AuditHead{as_integer(rows[0][0]), as_text(rows[0][1])};
}

std::vector<AuditEntry> AuditLog::select(std::string condition, std::int64_t seq, std::size_t limit,
                                         const AuditFilter& filter, bool newest_first) {
  // The hash before is that of the row before, whatever its number: a gap shows by the numbers.
  std::string sql =
      "SELECT seq, record, hash, (SELECT hash FROM audit_log p WHERE p.seq < a.seq ORDER BY p.seq DESC LIMIT "
      "1) "
      "FROM audit_log a WHERE " +
      std::move(condition);
  std::vector<Value> args = {seq};
  const auto must = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    args.emplace_back(value);
    sql += std::string(" AND ") + column + " = $" + std::to_string(args.size());
  };
  must("actor", filter.actor);
  must("project", filter.project);
  must("environment", filter.environment);
  must("result", filter.result);
  if (!filter.action.empty()) {
    args.emplace_back(filter.action);
    const std::string here = "$" + std::to_string(args.size());
    sql += " AND substr(action, 1, length(CAST(" + here + " AS TEXT))) = " + here;
  }
  args.push_back(limit_value(limit));
  sql +=
      std::string(" ORDER BY seq") + (newest_first ? " DESC" : "") + " LIMIT $" + std::to_string(args.size());
  std::vector<AuditEntry> entries;
  for (const Row& row : tx_.sql().query(sql, args)) {
    std::string line = as_text(row[1]);
    if (line.ends_with('}')) line.pop_back();
    line += R"(,"hash":")" + as_text(row[2]) + R"(","prev_hash":")" +
            as_optional_text(row[3]).value_or(std::string(kNoAuditHash)) + R"("})";
    entries.push_back({as_integer(row[0]), std::move(line)});
  }
  return entries;
}

std::vector<AuditEntry> AuditLog::after(std::int64_t seq, std::size_t limit, const AuditFilter& filter) {
  return select("seq > $1", seq, limit, filter, false);
}

std::vector<AuditEntry> AuditLog::before(std::int64_t seq, std::size_t limit, const AuditFilter& filter) {
  return select("seq < $1", seq > 0 ? seq : std::numeric_limits<std::int64_t>::max(), limit, filter, true);
}

}  // namespace runner::storage
