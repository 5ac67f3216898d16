// A database of an older program is brought up with its rows kept.
#include <thread>

#include "runner/database/sqlite.h"
#include "runner/storage/artifact_table.h"
#include "runner/storage/migrations.h"
#include "runner/storage/tables.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

const SystemClock kClock;

/// As 0001 and 0002 left it, with a row in each table.
void make_old(database::Database& database) {
  std::vector<database::Migration> old = embedded_migrations();
  ASSERT_GE(old.size(), 3U);
  old.resize(2);
  database::migrate(database, old, at(1));
  const auto tx = database.begin(database::TxMode::write);
  tx->script(R"(
    UPDATE sequences SET value = 41 WHERE name = 'pipelines';
    UPDATE sequences SET value = 7 WHERE name = 'jobs';
    UPDATE sequences SET value = 3 WHERE name = 'artifacts';
    INSERT INTO pipelines VALUES
      (40, '/p', 'it''s', 'push', 'main', 'abc', 'success', 5, 10, 11, 12),
      (41, '/p', '', 'push', 'main', 'abc', 'running', 1, 20, 21, NULL);
    INSERT INTO jobs VALUES
      (7, 41, 0, 1, 'build', 'test', 'running', 0, NULL, NULL, '', 2, 20, NULL, 20, 21, NULL);
    INSERT INTO job_events VALUES (7, 1, 'enqueued', 'created', 'pending', '', 20);
    INSERT INTO outbox VALUES ('stop_steps:7', 'stop_steps', 7, 'payload', 22), ('kill_steps:7', 'kill_steps', 7, '', 23);
    INSERT INTO artifacts VALUES
      (3, '/p', 1, 'main', 'abc', 'build', 'success', 'a.zip', 'archive', 'zip', '', 'dd', 9, 1, 30, NULL, '', '');
  )");
  tx->commit();
}

void expect_kept(Store& store) {
  store.write([](Tx& tx) {
    const PipelineRecord done = Pipelines(tx).find(40).value();
    EXPECT_EQ(done.name, "it's");
    EXPECT_EQ(done.finished_at, at(12));
    EXPECT_EQ(done.version, 5);
    EXPECT_FALSE(done.project_id || done.iid || done.once_key);
    EXPECT_EQ(done.before_sha + done.started_by, "");
    EXPECT_EQ(done.priority, 0);
    const auto unfinished = Pipelines(tx).unfinished();
    ASSERT_EQ(unfinished.size(), 1U);
    EXPECT_EQ(unfinished[0].id, 41);
    EXPECT_EQ(Jobs(tx).of_pipeline(41).at(0).name, "build");
    EXPECT_EQ(Events(tx).of_job(7).size(), 1U);
    const auto effects = Outbox(tx).all();
    ASSERT_EQ(effects.size(), 2U);
    EXPECT_EQ(effects[0].key, "stop_steps:7");
    EXPECT_EQ(effects[0].payload, "payload");
    EXPECT_EQ(effects[0].job, 7);
    EXPECT_EQ(effects[0].attempts, 0);
    EXPECT_EQ(effects[0].next_attempt_at, at(22));
    EXPECT_EQ(Outbox(tx).due("kill_steps", at(23), 9).size(), 1U);
    EXPECT_EQ(Artifacts(tx).find(3)->sha256, "dd");
    EXPECT_EQ(Pipelines(tx).insert({}), 42) << "ids go on";
    Outbox(tx).append({"mail", "mail", std::nullopt, "", at(1)});
    EXPECT_THROW(Outbox(tx).append({"bad", "stop", 99, "", at(1)}), Error) << "jobs are still looked for";
  });
}

TEST(Upgrade, RowsOfAnOldFileAreKept) {
  const TempDir dir;
  const auto path = dir.path() / "runner.db";
  make_old(*database::open_sqlite_file(path, database::Durability::full));
  expect_kept(*open_file_store(path, kClock));
  open_file_store(path, kClock)->read([](Tx& tx) { EXPECT_TRUE(Pipelines(tx).find(42)); });
}

TEST(Upgrade, RowsOfAnOldDatabaseInMemoryAreKept) {
  auto database = database::open_sqlite_memory();
  make_old(*database);
  Store store(std::move(database), kClock);
  expect_kept(store);
}

TEST(Upgrade, UpgradedSchemaIsThatOfANewDatabase) {
  const auto schema = [](database::Database& database) {
    std::vector<std::string> names;
    for (const auto& row :
         database.begin(database::TxMode::read)
             ->query("SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master "
                     "ORDER BY type, name",
                     {})) {
      names.push_back(std::get<std::string>(row[0]));
    }
    return names;
  };
  const auto upgraded = database::open_sqlite_memory(), made = database::open_sqlite_memory();
  make_old(*upgraded);
  database::migrate(*upgraded, embedded_migrations(), at(2));
  database::migrate(*made, embedded_migrations(), at(2));
  EXPECT_EQ(schema(*upgraded), schema(*made));
  EXPECT_THAT(schema(*made), testing::Not(testing::Contains(testing::HasSubstr("outbox"))));
}

TEST(Upgrade, ManyProgramsThatUpgradeAtOnceDoItOnce) {
  const TempDir dir;
  const auto path = dir.path() / "runner.db";
  make_old(*database::open_sqlite_file(path, database::Durability::full));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { open_file_store(path, kClock); });
  for (auto& thread : threads) thread.join();
  expect_kept(*open_file_store(path, kClock));
}

}  // namespace
}  // namespace runner::storage
