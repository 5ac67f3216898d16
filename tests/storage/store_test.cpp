#include "runner/storage/store.h"

#include <gmock/gmock.h>

#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/database/sqlite.h"
#include "runner/storage/counted_store.h"
#include "runner/storage/migrations.h"
#include "runner/storage/tables.h"

namespace runner::storage {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;

const SystemClock kClock;

/// The same suite on both kinds of store.
class StoreTest : public testing::TestWithParam<const char*> {
 protected:
  StoreTest()
      : store_(GetParam() == std::string("memory") ? make_memory_store(kClock)
                                                   : open_file_store(dir_.path() / "runner.db", kClock)) {}

  std::int64_t new_pipeline() {
    std::int64_t id = 0;
    store_->write([&](Tx& tx) {
      PipelineRecord record;
      record.project = "group/project";
      id = Pipelines(tx).insert(record);
    });
    return id;
  }

  JobRecord new_job(std::int64_t pipeline) {
    JobRecord job;
    job.pipeline = pipeline;
    job.name = "build";
    job.stage = "test";
    store_->write([&](Tx& tx) {
      job.id = tx.take_ids("jobs", 1);
      Jobs(tx).insert(job);
    });
    return job;
  }

  TempDir dir_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StoreTest, testing::Values("memory", "file"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(StoreTest, JobComesBackAsItWasWritten) {
  JobRecord job = new_job(new_pipeline());
  const std::int64_t version = job.version++;
  job.status = JobStatus::failed;
  job.failure = FailureReason::script_failure;
  job.exit_code = -3;
  job.allow_failure = true;
  job.reason = "it's \"broken\"";
  job.started_at = TimePoint(std::chrono::milliseconds(1'700'000'000'123));
  store_->write([&](Tx& tx) { EXPECT_TRUE(Jobs(tx).replace(job, version)); });
  store_->read([&](Tx& tx) {
    const auto found = Jobs(tx).find(job.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->status, JobStatus::failed);
    EXPECT_EQ(found->failure, FailureReason::script_failure);
    EXPECT_EQ(found->exit_code, -3);
    EXPECT_TRUE(found->allow_failure);
    EXPECT_EQ(found->reason, job.reason);
    EXPECT_EQ(found->started_at, job.started_at);
    EXPECT_FALSE(found->finished_at);
  });
}

TEST_P(StoreTest, ReplaceWithAnOldVersionWritesNothing) {
  JobRecord job = new_job(new_pipeline());
  job.version = 1;
  job.status = JobStatus::pending;
  store_->write([&](Tx& tx) { EXPECT_TRUE(Jobs(tx).replace(job, 0)); });
  job.status = JobStatus::canceled;
  store_->write([&](Tx& tx) { EXPECT_FALSE(Jobs(tx).replace(job, 0)); });
  store_->read([&](Tx& tx) { EXPECT_EQ(Jobs(tx).find(job.id)->status, JobStatus::pending); });
}

TEST_P(StoreTest, BodyThatThrowsLeavesNothingBehind) {
  const std::int64_t pipeline = new_pipeline();
  JobRecord job;
  job.id = 77;
  job.pipeline = pipeline;
  EXPECT_THROW(store_->write([&](Tx& tx) {
    Jobs(tx).insert(job);
    throw Error(ErrorCode::internal, "stop");
  }),
               Error);
  store_->read([&](Tx& tx) { EXPECT_FALSE(Jobs(tx).find(77)); });
}

TEST_P(StoreTest, SecondAttemptWithTheSameNumberIsAConflictThatNamesTheStatement) {
  const JobRecord job = new_job(new_pipeline());
  JobRecord twin = job;
  twin.id = job.id + 1;
  try {
    store_->write([&](Tx& tx) { Jobs(tx).insert(twin); });
    FAIL() << "inserted twice";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::conflict);
    EXPECT_NE(std::string(e.what()).find("INSERT INTO jobs"), std::string::npos) << e.what();
  }
}

TEST_P(StoreTest, JobOfAnUnknownPipelineIsRefused) {
  JobRecord job;
  job.id = 1;
  job.pipeline = 99;
  EXPECT_THROW(store_->write([&](Tx& tx) { Jobs(tx).insert(job); }), Error);
}

TEST_P(StoreTest, SameEffectIsKeptOnce) {
  const JobRecord job = new_job(new_pipeline());
  store_->write([&](Tx& tx) {
    Outbox(tx).append({"stop:1:4", "stop", job.id, "", {}});
    Outbox(tx).append({"stop:1:4", "stop", job.id, "", {}});
  });
  store_->write([&](Tx& tx) {
    EXPECT_EQ(Outbox(tx).all().size(), 1U);
    Outbox(tx).remove("stop:1:4");
    Outbox(tx).remove("stop:1:4");
    EXPECT_TRUE(Outbox(tx).all().empty());
  });
}

TEST_P(StoreTest, EventsComeBackInOrder) {
  const JobRecord job = new_job(new_pipeline());
  store_->write([&](Tx& tx) {
    Events(tx).append({job.id, 2, "claimed", JobStatus::pending, JobStatus::running, "", {}});
    Events(tx).append({job.id, 1, "enqueued", JobStatus::created, JobStatus::pending, "", {}});
  });
  store_->read([&](Tx& tx) {
    const auto events = Events(tx).of_job(job.id);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, "enqueued");
    EXPECT_EQ(events[1].to, JobStatus::running);
  });
}

TEST_P(StoreTest, IdsTakenByManyThreadsDiffer) {
  std::vector<std::vector<std::int64_t>> taken(4);
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        std::int64_t id = 0;
        store_->write([&](Tx& tx) { id = tx.take_ids("jobs", 2); });
        mine.push_back(id);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::int64_t> all;
  for (const auto& mine : taken) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), 100U);
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.back(), 199);
}

TEST_P(StoreTest, PipelineIdOfTheCallerIsKeptAndNeverGivenAgain) {
  PipelineRecord record;
  record.id = 41;
  store_->write([&](Tx& tx) { EXPECT_EQ(Pipelines(tx).insert(record), 41); });
  EXPECT_EQ(new_pipeline(), 42);
  EXPECT_THROW(store_->write([&](Tx& tx) { Pipelines(tx).insert(record); }), Error);
}

TEST(SqliteFile, ReopenedStoreHasWhatWasCommitted) {
  const TempDir dir;
  const auto path = dir.path() / "runner.db";
  PipelineRecord record;
  record.name = "nightly";
  open_file_store(path, kClock)->write([&](Tx& tx) { record.id = Pipelines(tx).insert(record); });
  open_file_store(path, kClock)->read([&](Tx& tx) {
    EXPECT_EQ(Pipelines(tx).find(record.id)->name, "nightly");
  });
}

TEST(SqliteFile, ReaderCannotWrite) {
  const TempDir dir;
  const auto store = open_file_store(dir.path() / "runner.db", kClock);
  EXPECT_THROW(store->read([](Tx& tx) { Pipelines(tx).insert({}); }), Error);
}

TEST(SqliteFile, FileThatIsNoDatabaseIsCorrupt) {
  const TempDir dir;
  write_file_atomic(dir.path() / "runner.db", std::string(4096, 'x'), 0644, false);
  try {
    open_file_store(dir.path() / "runner.db", kClock);
    FAIL() << "opened";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::corrupt) << e.what();
    const std::string expected = "'" + (dir.path() / "runner.db").string() + "' is damaged; remove it";
    EXPECT_NE(std::string(e.what()).find(expected), std::string::npos) << e.what();
  }
}

TEST(SqliteFile, FileOfANewerProgramIsNotCalledDamaged) {
  const TempDir dir;
  const std::filesystem::path path = dir.path() / "runner.db";
  open_file_store(path, kClock);
  {
    const auto database = database::open_sqlite_file(path, database::Durability::full);
    const auto tx = database->begin(database::TxMode::write);
    tx->exec(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (999, 'later', 'x', 1)",
        {});
    tx->commit();
  }
  try {
    open_file_store(path, kClock);
    FAIL() << "opened";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::conflict) << e.what();
    const std::string what = e.what();
    EXPECT_NE(what.find("cannot use the database '" + path.string()), std::string::npos) << what;
    EXPECT_NE(what.find("written by a newer one; use that"), std::string::npos) << what;
  }
}

TEST(Migrations, AppliedOnceAndRecorded) {
  const auto database = database::open_sqlite_memory();
  database::migrate(*database, embedded_migrations(), kClock.now());
  database::migrate(*database, embedded_migrations(), kClock.now());
  const auto rows = database->begin(database::TxMode::read)->query("SELECT name FROM schema_migrations", {});
  EXPECT_EQ(rows.size(), embedded_migrations().size());
  EXPECT_EQ(std::get<std::string>(rows[0][0]), "0001_initial");
}

TEST(CountedStore, TellsHowItsDatabaseDoesAndWhichSchemaItHas) {
  const TempDir dir;
  database::DatabaseCounts counts;
  const auto store = open_counted_store(dir.path() / "runner.db", kClock, counts);
  const std::uint64_t made = counts.commits.counts().count;
  std::int64_t schema = 0;
  store->read([&](Tx& tx) { schema = applied_schema(tx); });
  EXPECT_EQ(schema, known_schema());
  EXPECT_EQ(schema, static_cast<std::int64_t>(embedded_migrations().size()));
  store->write([&](Tx& tx) {
    tx.sql().exec(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (9999, 'x', 'x', 0)", {});
    schema = applied_schema(tx);
  });
  EXPECT_EQ(schema, 9999);
  EXPECT_EQ(counts.commits.counts().count, made + 1);
  EXPECT_EQ(counts.errors, 0U);
  EXPECT_THROW(store->write([](Tx& tx) { tx.sql().script("nonsense"); }), Error);
  EXPECT_EQ(counts.errors, 1U);
}

}  // namespace
}  // namespace runner::storage
