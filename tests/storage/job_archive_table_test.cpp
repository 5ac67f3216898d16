#include "runner/storage/job_archive_table.h"

#include "runner/storage/project_table.h"
#include "runner/storage/tables.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class JobArchiveTable : public EachStore {
 protected:
  const std::int64_t project_ = new_project();

  std::int64_t new_pipeline() {
    PipelineRecord pipeline;
    pipeline.project_id = project_;
    pipeline.status = pipelines::JobStatus::success;
    std::int64_t id = 0;
    write([&](Tx& tx) { id = Pipelines(tx).insert(pipeline); });
    return id;
  }
  /// An attempt in a pipeline of its own, and its archive.
  JobArchiveRecord add(const std::string& ref, const std::string& name, bool success,
                       std::optional<std::int64_t> expires, const std::string& path) {
    JobArchiveRecord record;
    record.project = project_;
    record.pipeline = new_pipeline();
    record.ref = ref;
    record.name = name;
    record.success = success;
    record.path = path;
    record.created_at = at(1);
    if (expires) record.expires_at = at(*expires);
    write([&](Tx& tx) {
      JobRecord job;
      job.id = record.job = tx.take_ids("jobs", 1);
      job.pipeline = record.pipeline;
      Jobs(tx).insert(job);
      JobArchives(tx).put(record);
    });
    return record;
  }
  std::vector<std::string> expired(std::int64_t now, std::size_t limit = 99) {
    std::vector<std::string> paths;
    read([&](Tx& tx) {
      for (const auto& record : JobArchives(tx).expired(at(now), limit)) paths.push_back(record.path);
    });
    return paths;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, JobArchiveTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(JobArchiveTable, ComesBackAsItWasWritten) {
  const JobArchiveRecord record = add("it's", "build \"x\"", true, 7, "archives/ab/abc.zip");
  write([&](Tx& tx) { JobArchives(tx).put(record); });  // again
  read([&](Tx& tx) {
    const auto found = JobArchives(tx).find(record.job, ArtifactKind::archive);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ref, "it's");
    EXPECT_EQ(found->name, "build \"x\"");
    EXPECT_EQ(found->project, project_);
    EXPECT_EQ(found->pipeline, record.pipeline);
    EXPECT_TRUE(found->success);
    EXPECT_EQ(found->path, "archives/ab/abc.zip");
    EXPECT_EQ(found->created_at, at(1));
    EXPECT_EQ(found->expires_at, at(7));
    EXPECT_FALSE(JobArchives(tx).find(record.job, ArtifactKind::reports));
    EXPECT_EQ(JobArchives(tx).of_pipeline(record.pipeline).size(), 1U);
  });
}

TEST_P(JobArchiveTable, TheNewestSuccessOfAJobAndRefStays) {
  add("main", "build", true, 10, "old");
  add("main", "build", false, 20, "failed");
  add("main", "build", true, 30, "newest");
  add("main", "other", true, 10, "of another job");
  add("topic", "build", true, 10, "of another ref");
  add("main", "build", false, std::nullopt, "never");
  EXPECT_THAT(expired(9), IsEmpty());
  EXPECT_THAT(expired(10), ElementsAre("old"));
  EXPECT_THAT(expired(99), ElementsAre("old", "failed"));
  EXPECT_THAT(expired(99, 1), ElementsAre("old"));
  add("main", "build", true, std::nullopt, "newer");
  EXPECT_THAT(expired(99), ElementsAre("old", "failed", "newest"));
}

TEST_P(JobArchiveTable, AFileIsFreeWhenNoRowNamesIt) {
  const auto one = add("main", "a", true, 1, "same"), two = add("main", "b", true, 1, "same");
  write([&](Tx& tx) {
    EXPECT_FALSE(JobArchives(tx).remove(one));
    EXPECT_TRUE(JobArchives(tx).names("same"));
    EXPECT_TRUE(JobArchives(tx).remove(two));
    EXPECT_TRUE(JobArchives(tx).remove(two)) << "again";
  });
}

TEST_P(JobArchiveTable, GoesWithItsProject) {
  add("main", "a", true, 1, "path");
  write([&](Tx& tx) { EXPECT_TRUE(Projects(tx).remove(project_)); });
  read([&](Tx& tx) { EXPECT_FALSE(JobArchives(tx).names("path")); });
}

}  // namespace
}  // namespace runner::storage
