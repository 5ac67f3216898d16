#include "runner/database/migrations.h"

#include <map>
#include <string>

#include "runner/base/error.h"

namespace runner::database {
namespace {

void check_recorded(const std::vector<Row>& recorded, const std::vector<Migration>& migrations) {
  std::map<std::int64_t, const Migration*> known;
  for (const Migration& migration : migrations) known[migration.number] = &migration;
  for (const Row& row : recorded) {
    const auto number = std::get<std::int64_t>(row[0]);
    const auto it = known.find(number);
    if (it == known.end()) {
      // Nothing is damaged, and nothing must be thrown away.
      throw Error(
          ErrorCode::conflict,
          "the database has migration " + std::to_string(number) +
              ", which this program does not know: it was written by a newer one; use that, or another "
              "place with --data");
    }
    if (it->second->checksum != std::get<std::string>(row[1])) {
      throw Error(ErrorCode::corrupt, "migration '" + std::string(it->second->name) +
                                          "' differs from the one the database was made with");
    }
  }
}

}  // namespace

void migrate(Database& database, const std::vector<Migration>& migrations, TimePoint now) {
  const auto tx = database.begin(TxMode::write);
  tx->exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
      "checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
      {});
  const std::vector<Row> recorded =
      tx->query("SELECT number, checksum FROM schema_migrations ORDER BY number", {});
  check_recorded(recorded, migrations);
  const std::int64_t last = recorded.empty() ? 0 : std::get<std::int64_t>(recorded.back()[0]);
  for (const Migration& migration : migrations) {
    if (migration.number <= last) continue;
    try {
      tx->script(migration.sql);
    } catch (Error& e) {
      e.add_context("while applying migration '" + std::string(migration.name) + "'");
      throw;
    }
    tx->exec("INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
             {migration.number, std::string(migration.name), std::string(migration.checksum),
              static_cast<std::int64_t>(now.time_since_epoch().count())});
  }
  tx->commit();
}

}  // namespace runner::database
