// The tables of a local run are those of a server, as far as it has them.
#include "runner/storage/local_schema.h"

#include <gmock/gmock.h>

#include "runner/database/sqlite.h"
#include "runner/storage/migrations.h"
#include "runner/storage/tables.h"

namespace runner::storage {
namespace {

std::vector<database::Row> ask(database::Database& database, const std::string& sql,
                               const std::vector<database::Value>& args = {}) {
  return database.begin(database::TxMode::read)->query(sql, args);
}

std::vector<std::string> tables_of(database::Database& database) {
  std::vector<std::string> names;
  for (const auto& row : ask(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))
    names.push_back(std::get<std::string>(row[0]));
  return names;
}

TEST(LocalSchema, HasTheTablesOfTheMigrationsAsTheyAre) {
  const auto local = database::open_sqlite_memory(), full = database::open_sqlite_memory();
  {
    const auto tx = local->begin(database::TxMode::write);
    tx->script(local_schema());
    tx->commit();
  }
  database::migrate(*full, embedded_migrations(), {});
  const std::vector<std::string> tables = tables_of(*local);
  EXPECT_THAT(tables, testing::ElementsAre("effects", "job_events", "jobs", "pipelines", "sequences"));
  for (const std::string& table : tables) {
    const char* columns = "SELECT * FROM pragma_table_info($1)";
    EXPECT_EQ(ask(*local, columns, {table}), ask(*full, columns, {table})) << table;
    const char* keys =
        "SELECT \"table\", \"from\", \"to\" FROM pragma_foreign_key_list($1) WHERE \"table\" <> 'projects' "
        "ORDER BY 1, 2";
    EXPECT_EQ(ask(*local, keys, {table}), ask(*full, keys, {table})) << table;
  }
  for (const auto& row : ask(*local, "SELECT name, value FROM sequences"))
    EXPECT_EQ(ask(*full, "SELECT name, value FROM sequences WHERE name = $1", {row[0]}).at(0), row);
}

TEST(LocalSchema, ARunIsWritten) {
  const auto store = make_local_store();
  store->write([](Tx& tx) {
    PipelineRecord pipeline;
    EXPECT_EQ(Pipelines(tx).insert(pipeline), 1);
    EXPECT_TRUE(Pipelines(tx).find(1));
    Outbox(tx).append({"stop", "stop_steps", std::nullopt, "", {}});
    EXPECT_EQ(Outbox(tx).all().size(), 1U);
  });
}

}  // namespace
}  // namespace runner::storage
