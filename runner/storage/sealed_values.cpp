#include "runner/storage/sealed_values.h"

#include <array>
#include <utility>

#include "runner/base/error.h"
#include "runner/storage/row.h"
#include "runner/storage/variable_table.h"

namespace runner::storage {
namespace {

constexpr std::int64_t kBatch = 20;  // frozen pipelines may have megabytes each

/// Every column of the schema that Sealer::seal() is called for.
struct SealedColumn {
  std::string table, id, column;
};
const std::array<SealedColumn, 5> kColumns = {{{"credentials", "id", "secret"},
                                               {"schedules", "id", "variables"},
                                               {"variables", "id", "value"},
                                               {"pipeline_plans", "pipeline_id", "plan"},
                                               {"pipeline_plans", "pipeline_id", "facts"}}};

/// A value, and what it is bound to.
struct SealedRow {
  std::int64_t id = 0;
  std::string column;
  Sealed sealed;
};

SealedRow row_of(const SealedColumn& column, const Row& row) {
  SealedRow found{as_integer(row[0]), column.column, as_bytes(row[1])};
  if (column.table == "variables") {
    VariableRecord variable;
    variable.project = as_integer(row[2]);
    variable.key = as_text(row[3]);
    variable.scope = as_text(row[4]);
    variable.is_protected = as_flag(row[5]);
    variable.masked = as_flag(row[6]);
    found.column = seal_column(variable);
  }
  return found;
}

std::vector<SealedRow> rows_after(Tx& tx, const SealedColumn& column, std::int64_t after) {
  const std::string more = column.table == "variables" ? ", project_id, name, scope, protected, masked" : "";
  std::vector<SealedRow> rows;
  for (const Row& row :
       tx.sql().query("SELECT " + column.id + ", " + column.column + more + " FROM " + column.table +
                          " WHERE " + column.id + " > $1 ORDER BY " + column.id + " LIMIT $2",
                      {after, kBatch}))
    rows.push_back(row_of(column, row));
  return rows;
}

}  // namespace

bool has_sealed_values(Tx& tx) {
  std::string any;
  for (const SealedColumn& column : kColumns)
    any += (any.empty() ? "" : " OR ") + std::string("EXISTS (SELECT 1 FROM ") + column.table + ")";
  return as_integer(tx.sql().query("SELECT COUNT(*) WHERE " + any, {})[0][0]) != 0;
}

std::map<std::string, std::int64_t> count_sealed_values(Tx& tx) {
  std::map<std::string, std::int64_t> counts;
  for (const SealedColumn& column : kColumns) {
    for (const Row& row :
         tx.sql().query("SELECT substr(" + column.column + ", 1, 9) AS head, COUNT(*) FROM " + column.table +
                            " GROUP BY head",
                        {}))
      counts[data_key_of(as_bytes(row[0]))] += as_integer(row[1]);
  }
  return counts;
}

bool SealedValues::renew_some() {
  if (column_ == kColumns.size()) return false;
  const SealedColumn& column = kColumns.at(column_);
  std::vector<SealedRow> rows;
  store_.read([&](Tx& tx) { rows = rows_after(tx, column, after_); });
  std::vector<std::pair<const SealedRow*, Sealed>> renewed;
  std::vector<std::string> failures;
  for (const SealedRow& row : rows) {
    try {
      if (auto next = sealer_.renew(row.sealed, {column.table, row.column, row.id}))
        renewed.emplace_back(&row, *std::move(next));
    } catch (const Error& error) {
      failures.emplace_back(error.what());
    }
  }
  std::int64_t written = 0;
  if (!renewed.empty()) {
    store_.write([&](Tx& tx) {
      written = 0;
      for (const auto& [row, next] : renewed)
        written += tx.sql().exec("UPDATE " + column.table + " SET " + column.column + " = $3 WHERE " +
                                     column.id + " = $1 AND " + column.column + " = $2",
                                 {row->id, row->sealed, next});
    });
  }
  tally_.looked_at += rows.size();
  tally_.renewed += static_cast<std::size_t>(written);
  tally_.failures.insert(tally_.failures.end(), failures.begin(), failures.end());
  if (!rows.empty()) {
    after_ = rows.back().id;
  } else {
    ++column_;
    after_ = 0;
  }
  return true;
}

}  // namespace runner::storage
