#include "runner/database/counted.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"
#include "runner/database/sqlite.h"

namespace runner::database {
namespace {

TEST(CountedDatabase, CountsCommitsOfWhatMayWriteOnly) {
  DatabaseCounts counts;
  const auto database = counted(open_sqlite_memory(), counts);
  {
    const auto tx = database->begin(TxMode::write);
    tx->script("CREATE TABLE a (x BIGINT PRIMARY KEY)");
    EXPECT_EQ(tx->exec("INSERT INTO a VALUES ($1)", {std::int64_t{7}}), 1);
    EXPECT_EQ(counts.commits.counts().count, 0U);
    tx->commit();
  }
  EXPECT_EQ(counts.commits.counts().count, 1U);
  {
    const auto tx = database->begin(TxMode::read);
    EXPECT_EQ(tx->query("SELECT x FROM a", {})[0], Row{std::int64_t{7}});
    tx->commit();
  }
  { const auto given_up = database->begin(TxMode::write); }
  {
    const auto looks_only = database->begin(TxMode::write);
    looks_only->query("SELECT x FROM a", {});
    looks_only->commit();
  }
  EXPECT_EQ(counts.commits.counts().count, 1U);
  {
    const auto tx = database->begin(TxMode::write);
    EXPECT_EQ(tx->query("UPDATE a SET x = 8 RETURNING x", {})[0], Row{std::int64_t{8}});
    tx->commit();
  }
  EXPECT_EQ(counts.commits.counts().count, 2U);
  EXPECT_EQ(counts.errors, 0U);
}

TEST(CountedDatabase, CountsWhatTheDatabaseCannotDoButNotWhatOneExpects) {
  DatabaseCounts counts;
  const auto database = counted(open_sqlite_memory(), counts);
  const auto tx = database->begin(TxMode::write);
  tx->script("CREATE TABLE a (x BIGINT PRIMARY KEY)");
  tx->exec("INSERT INTO a VALUES (1)", {});
  EXPECT_THROW(tx->exec("INSERT INTO a VALUES (1)", {}), Error);
  EXPECT_EQ(counts.errors, 0U) << "a name that is taken is no trouble";
  EXPECT_THROW(tx->query("SELECT * FROM nowhere", {}), Error);
  EXPECT_EQ(counts.errors, 1U);
  EXPECT_THROW(tx->script("nonsense"), Error);
  EXPECT_EQ(counts.errors, 2U);
}

}  // namespace
}  // namespace runner::database
