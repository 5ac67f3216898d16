// What is kept, and what goes, of a server that ran pipelines.
#include "runner/daemon/retention.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/storage/job_archive_table.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using daemon::remove_old;
using daemon::RetentionOptions;
using testing::SizeIs;

/// The machine's clock, some time later.
class Later final : public Clock {
 public:
  explicit Later(std::chrono::hours by) : by_(by) {}
  TimePoint now() const override { return clock_.now() + by_; }
  SteadyPoint steady_now() const override { return clock_.steady_now(); }

 private:
  SystemClock clock_;
  std::chrono::hours by_;
};

constexpr const char* kPipeline = R"yml(
short: {script: ['cat commit > out'], artifacts: {paths: [out], expire_in: 3 hours}}
long: {script: ['cat commit > out; echo long >> out'], artifacts: {paths: [out], expire_in: never}}
)yml";

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error))
    if (entry.is_regular_file()) files.push_back(entry.path());
  return files;
}

class Retention : public testing::Test {
 protected:
  Retention() {
    served_.write(".gitlab-ci.yml", kPipeline);
    for (const char* name : {"one", "two"}) {
      served_.write("commit", name);
      served_.commit(name);
      if (!served_.running()) {
        served_.add_project();
        served_.start();
      }
      served_.wait_for(std::string_view(name) == "one" ? 1 : 2);
    }
    // Pipelines are over before their archives are.
    served_.wait_until([this](const auto&) {
      std::size_t count = 0;
      served_.store().read([&](storage::Tx& tx) {
        for (const std::int64_t pipeline : {1, 2})
          count += storage::JobArchives(tx).of_pipeline(pipeline).size();
      });
      return count == 4;
    });
    served_.stop();
  }

  daemon::RetentionTally pass(std::chrono::hours later, const RetentionOptions& options = {}) {
    return remove_old(served_.store(), Later(later), served_.data(), options, {});
  }
  std::vector<fs::path> archives() const { return files_in(served_.data() / "archives"); }
  std::vector<fs::path> logs() const { return files_in(served_.data() / "logs"); }

  Served served_;
};

TEST_F(Retention, ArchivesGoAfterTheirTimeButForTheNewest) {
  ASSERT_THAT(archives(), SizeIs(4));
  std::uint64_t bytes = 0;
  for (const fs::path& archive : archives()) bytes += fs::file_size(archive);
  const auto early = pass(std::chrono::hours(2));
  EXPECT_EQ(early.archives, 0U);
  EXPECT_EQ(early.kept_bytes, bytes);
  const auto tally = pass(std::chrono::hours(5));
  EXPECT_EQ(tally.archives, 1U) << "of the first pipeline's short one";
  EXPECT_GT(tally.bytes, 0U);
  EXPECT_EQ(tally.kept_bytes, bytes - tally.bytes);
  EXPECT_THAT(archives(), SizeIs(3));
  EXPECT_EQ(pass(std::chrono::hours(24 * 300)).archives, 0U);
  EXPECT_THAT(archives(), SizeIs(3));
}

TEST_F(Retention, LogsGoWhenTheyAreOldOrTheirProjectIsGone) {
  EXPECT_EQ(pass(std::chrono::hours(24 * 364)).logs, 0U);
  EXPECT_EQ(pass(std::chrono::hours(24 * 366), {.logs = std::chrono::hours(0)}).logs, 0U);
  EXPECT_THAT(logs(), testing::Not(testing::IsEmpty()));
  EXPECT_FALSE(served_.events().empty());
  const auto tally = pass(std::chrono::hours(24 * 366));
  EXPECT_EQ(tally.logs, 2U);
  EXPECT_THAT(logs(), testing::IsEmpty());
  EXPECT_TRUE(served_.events().empty());
}

TEST_F(Retention, WhatAProjectLeftGoes) {
  served_.store().write([](storage::Tx& tx) { EXPECT_TRUE(storage::Projects(tx).remove(1)); });
  const auto first = pass(std::chrono::hours(0));
  EXPECT_EQ(first.logs, 2U);
  EXPECT_EQ(first.orphans, 0U) << "they may be of a job whose row is on its way";
  EXPECT_THAT(archives(), SizeIs(4));
  EXPECT_EQ(pass(std::chrono::hours(24 * 8)).orphans, 4U);
  EXPECT_THAT(archives(), testing::IsEmpty());
  EXPECT_TRUE(fs::is_empty(served_.data() / "archives")) << "directories go with their last file";
}

// A job publishes what was there already, while the old one is removed.
TEST_F(Retention, AFileThatIsPublishedAnewStays) {
  std::vector<storage::JobArchiveRecord> records;
  served_.store().write([&](storage::Tx& tx) {
    records = storage::JobArchives(tx).of_pipeline(1);
    for (auto& record : records) {
      storage::JobArchives(tx).remove(record);
      record.expires_at = record.created_at;
      record.success = false;
      storage::JobArchives(tx).put(record);
    }
  });
  for (const auto& record : records) {
    const Later later(std::chrono::hours(5));
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(later.now().time_since_epoch()).count();
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (served_.data() / record.path).c_str(), times, 0), 0);
  }
  EXPECT_EQ(pass(std::chrono::hours(5)).archives, 2U) << "rows";
  EXPECT_THAT(archives(), SizeIs(4)) << "files";
}

TEST_F(Retention, WhatAKilledPassTookAwayIsGivenBack) {
  for (const fs::path& file : archives()) fs::rename(file, file.native() + ".condemned");
  pass(std::chrono::hours(0));
  EXPECT_THAT(archives(), SizeIs(4));
  for (const fs::path& file : archives()) EXPECT_EQ(file.extension(), ".zip");
}

}  // namespace
}  // namespace runner::test
