#include "runner/database/sqlite.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/database/migrations.h"

namespace runner::database {
namespace {

const SystemClock kClock;

TEST(SqliteFile, CommitsOfEitherDurabilityAreThereWhenReopened) {
  const TempDir dir;
  for (const Durability durability : {Durability::full, Durability::normal}) {
    const auto path = dir.path() / (durability == Durability::full ? "full.db" : "normal.db");
    {
      const auto database = open_sqlite_file(path, durability);
      const auto tx = database->begin(TxMode::write);
      tx->script("CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (7)");
      tx->commit();
    }
    const auto database = open_sqlite_file(path, durability);
    EXPECT_EQ(database->begin(TxMode::read)->query("SELECT x FROM a", {})[0], Row{std::int64_t{7}});
    const auto level = database->begin(TxMode::read)->query("PRAGMA synchronous", {});
    EXPECT_EQ(level[0], Row{std::int64_t{durability == Durability::full ? 2 : 1}});
  }
}

TEST(Sqlite, ParametersAreNamesNotPositions) {
  const auto database = open_sqlite_memory();
  const auto tx = database->begin(TxMode::write);
  const auto rows = tx->query("SELECT $2, $1, $2", {std::string("one"), std::int64_t{2}});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0], (Row{std::int64_t{2}, std::string("one"), std::int64_t{2}}));
}

TEST(Sqlite, MissingArgumentIsAnErrorNotANull) {
  const auto database = open_sqlite_memory();
  const auto tx = database->begin(TxMode::write);
  EXPECT_THROW(tx->query("SELECT $1, $2", {std::int64_t{1}}), Error);
}

TEST(Sqlite, BytesAndZerosInTextSurvive) {
  const auto database = open_sqlite_memory();
  const auto tx = database->begin(TxMode::write);
  const std::string text("a\0b", 3);
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
  EXPECT_EQ(tx->query("SELECT $1, $2", {text, bytes})[0], (Row{text, bytes}));
}

TEST(Migrations, AppliedOnceAndRecorded) {
  const auto database = open_sqlite_memory();
  const std::vector<Migration> all = {{1, "0001_a", "aa", "CREATE TABLE a (x BIGINT)"}};
  migrate(*database, all, kClock.now());
  migrate(*database, all, kClock.now());
  const auto rows = database->begin(TxMode::read)->query("SELECT name FROM schema_migrations", {});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(std::get<std::string>(rows[0][0]), "0001_a");
}

TEST(Migrations, OldDatabaseGetsOnlyWhatItLacks) {
  const auto database = open_sqlite_memory();
  const std::vector<Migration> first = {{1, "0001_a", "aa", "CREATE TABLE a (x BIGINT)"}};
  std::vector<Migration> both = first;
  both.push_back({2, "0002_b", "bb", "ALTER TABLE a ADD COLUMN y BIGINT; CREATE TABLE b (x BIGINT)"});
  migrate(*database, first, kClock.now());
  migrate(*database, both, kClock.now());
  EXPECT_NO_THROW(database->begin(TxMode::read)->query("SELECT a.y, b.x FROM a, b", {}));
}

TEST(Migrations, EditedOrUnknownMigrationIsRefused) {
  const auto database = open_sqlite_memory();
  migrate(*database, {{1, "0001_a", "aa", "CREATE TABLE a (x BIGINT)"}}, kClock.now());
  EXPECT_THROW(migrate(*database, {{1, "0001_a", "changed", "CREATE TABLE a (x BIGINT)"}}, kClock.now()),
               Error);
  EXPECT_THROW(migrate(*database, {}, kClock.now()), Error);
}

TEST(Migrations, FailingOneLeavesNothingOfItself) {
  const auto database = open_sqlite_memory();
  const std::vector<Migration> broken = {{1, "0001_a", "aa", "CREATE TABLE a (x BIGINT); nonsense"}};
  EXPECT_THROW(migrate(*database, broken, kClock.now()), Error);
  EXPECT_THROW(database->begin(TxMode::read)->query("SELECT x FROM a", {}), Error);
}

}  // namespace
}  // namespace runner::database
