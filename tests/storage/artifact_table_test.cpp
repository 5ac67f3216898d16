#include "runner/storage/artifact_table.h"

#include <gmock/gmock.h>

#include "runner/base/files.h"

namespace runner::storage {
namespace {

using pipelines::JobStatus;

const SystemClock kClock;

class ArtifactTable : public testing::Test {
 protected:
  ArtifactRecord add(const std::string& project, std::int64_t run, const std::string& job,
                     ArtifactKind kind = ArtifactKind::archive) {
    ArtifactRecord record;
    record.project = project;
    record.run = run;
    record.job = job;
    record.kind = kind;
    record.format = "zip";
    record.sha256 = "abc";
    record.created_at = TimePoint(std::chrono::milliseconds(run));
    store_->write([&](Tx& tx) { record.id = Artifacts(tx).insert(record); });
    return record;
  }

  std::vector<std::int64_t> ids(const std::optional<std::string>& project) const {
    std::vector<std::int64_t> ids;
    store_->read([&](Tx& tx) {
      for (const ArtifactRecord& record : Artifacts(tx).list(project)) ids.push_back(record.id);
    });
    return ids;
  }

  TempDir dir_;
  std::unique_ptr<Store> store_ = open_file_store(dir_.path() / "runner.db", kClock);
};

TEST_F(ArtifactTable, RecordComesBackAsItWasWritten) {
  ArtifactRecord record;
  record.project = "/srv/it's mine";
  record.run = 7;
  record.ref = "main";
  record.sha = "0123";
  record.job = "build: [a, b]";
  record.job_status = JobStatus::failed;
  record.name = "out.tar.zst";
  record.kind = ArtifactKind::reports;
  record.format = "tar.zst";
  record.path = "/x/y.tar.zst";
  record.sha256 = "ff";
  record.bytes = 1ULL << 40U;
  record.files = 3;
  record.created_at = TimePoint(std::chrono::milliseconds(1'700'000'000'123));
  record.expires_at = record.created_at + std::chrono::hours(1);
  record.expose_as = "the build";
  record.access = "none";
  store_->write([&](Tx& tx) { record.id = Artifacts(tx).insert(record); });
  store_->read([&](Tx& tx) {
    const auto found = Artifacts(tx).find(record.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->project, record.project);
    EXPECT_EQ(found->run, 7);
    EXPECT_EQ(found->ref, "main");
    EXPECT_EQ(found->sha, "0123");
    EXPECT_EQ(found->job, record.job);
    EXPECT_EQ(found->job_status, JobStatus::failed);
    EXPECT_EQ(found->name, record.name);
    EXPECT_EQ(found->kind, ArtifactKind::reports);
    EXPECT_EQ(found->format, "tar.zst");
    EXPECT_EQ(found->path, record.path);
    EXPECT_EQ(found->sha256, "ff");
    EXPECT_EQ(found->bytes, record.bytes);
    EXPECT_EQ(found->files, 3U);
    EXPECT_EQ(found->created_at, record.created_at);
    EXPECT_EQ(found->expires_at, record.expires_at);
    EXPECT_EQ(found->expose_as, "the build");
    EXPECT_EQ(found->access, "none");
    EXPECT_FALSE(Artifacts(tx).find(record.id + 1));
  });
}

TEST_F(ArtifactTable, ListIsOfAProjectNewestFirst) {
  const auto old = add("/p", 1, "build");
  const auto reports = add("/p", 2, "build", ArtifactKind::reports);
  const auto archive = add("/p", 2, "build");
  const auto other = add("/q", 3, "build");
  EXPECT_EQ(ids("/p"), (std::vector{archive.id, reports.id, old.id}));
  EXPECT_EQ(ids(std::nullopt), (std::vector{other.id, archive.id, reports.id, old.id}));
  EXPECT_TRUE(ids("/none").empty());
}

TEST_F(ArtifactTable, DigestIsCountedUntilItsLastRecordGoes) {
  const auto one = add("/p", 1, "build");
  const auto two = add("/q", 1, "build");
  store_->write([&](Tx& tx) {
    Artifacts artifacts(tx);
    EXPECT_EQ(artifacts.count_of_digest("abc", "zip"), 2);
    EXPECT_EQ(artifacts.count_of_digest("abc", "tar.zst"), 0);
    artifacts.remove(one.id);
    artifacts.remove(one.id);
    EXPECT_EQ(artifacts.count_of_digest("abc", "zip"), 1);
    artifacts.remove(two.id);
  });
  EXPECT_TRUE(ids(std::nullopt).empty());
  EXPECT_GT(add("/p", 2, "build").id, two.id) << "an id is never given twice";
}

}  // namespace
}  // namespace runner::storage
