// Archives that attempts left.
#include <nlohmann/json.hpp>

#include "runner/engine/outcome_text.h"
#include "runner/storage/job_archive_table.h"
#include "runner/storage/result_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;

class ApiArtifactTest : public ApiTest {
 protected:
  storage::JobRecord job_ = add_job(add_pipeline(), 0, pipelines::JobStatus::success);
  std::string at_ = "/api/v1/jobs/" + std::to_string(job_.id) + "/artifacts";

  void leave(const engine::JobResult& result) {
    store_->write([&](storage::Tx& tx) {
      storage::JobResults(tx).put(job_.id, freeze(result));
      const auto keep = [&](storage::ArtifactKind kind, const std::optional<engine::ArchiveView>& archive) {
        if (!archive) return;
        storage::JobArchiveRecord record;
        record.job = job_.id;
        record.kind = kind;
        record.project = shop_;
        record.pipeline = job_.pipeline;
        record.path = archive->path.native();
        storage::JobArchives(tx).put(record);
      };
      keep(storage::ArtifactKind::archive, result.archive);
      keep(storage::ArtifactKind::reports, result.reports);
    });
  }
};

TEST_F(ApiArtifactTest, ArchivesAreListedAndDownloaded) {
  engine::JobResult result;
  write_file_atomic(dir_.path() / "a.zip", "zip bytes");
  write_file_atomic(dir_.path() / "r.tar.zst", "zst bytes");
  result.archive = engine::ArchiveView{"s\u00e9 \"x\"\n", dir_.path() / "a.zip", std::string(64, 'a'), 9, 3};
  result.reports = engine::ArchiveView{"reports", "r.tar.zst", std::string(64, 'b'), 9, 1};
  leave(result);
  EXPECT_EQ(ask("GET", at_, "", "vera").json(),
            json::parse(R"({"items":[{"name":"s\u00e9 \"x\"\n.zip","kind":"archive","bytes":9,"files":3,)"
                        R"("sha256":")" +
                        std::string(64, 'a') +
                        R"("},{"name":"reports.tar.zst","kind":"reports","bytes":9,"files":1,"sha256":")" +
                        std::string(64, 'b') + R"("}],"next":null})"));
  const Asked archive = ask("GET", at_ + "/archive", "", "vera");
  EXPECT_EQ(archive.body, "zip bytes");
  EXPECT_EQ(archive.headers.at("content-type"), "application/zip");
  EXPECT_EQ(archive.headers.at("content-disposition"),
            "attachment; filename=\"s__ _x__.zip\"; filename*=UTF-8''s%C3%A9%20%22x%22%0A.zip");
  EXPECT_EQ(archive.headers.at("etag"), '"' + std::string(64, 'a') + '"');
  const Asked part = ask_with("GET", at_ + "/archive", shown("vera") + "Range: bytes=4-6\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "byt");
  const Asked reports = ask("GET", at_ + "/reports", "", "vera");
  EXPECT_EQ(reports.body, "zst bytes");
  EXPECT_EQ(reports.headers.at("content-type"), "application/zstd");
}

TEST_F(ApiArtifactTest, WhatIsPastItsTimeIsNotListed) {
  engine::JobResult result;
  write_file_atomic(dir_.path() / "a.zip", "zip bytes");
  result.archive = engine::ArchiveView{"a", "a.zip", std::string(64, 'a'), 9, 3};
  leave(result);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/" + std::to_string(job_.id)).json().at("artifacts"), true);
  store_->write([&](storage::Tx& tx) {
    storage::JobArchives(tx).remove(*storage::JobArchives(tx).find(job_.id, storage::ArtifactKind::archive));
  });
  EXPECT_EQ(ask("GET", "/api/v1/jobs/" + std::to_string(job_.id)).json().at("artifacts"), false);
  EXPECT_EQ(ask("GET", at_).json(), json::parse(R"({"items":[],"next":null})"));
  const Asked gone = ask("GET", at_ + "/archive");
  EXPECT_EQ(gone.status, 404);
  EXPECT_THAT(gone.body, testing::HasSubstr("its time is over"));
}

TEST_F(ApiArtifactTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(ask("GET", at_).json(), json::parse(R"({"items":[],"next":null})"));
  EXPECT_EQ(ask("GET", at_ + "/archive").status, 404);
  EXPECT_EQ(ask("GET", at_ + "/other").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/999/artifacts").status, 404);
  engine::JobResult result;
  result.archive = engine::ArchiveView{"a", dir_.path() / "expired.zip", std::string(64, 'a'), 9, 3};
  leave(result);
  EXPECT_EQ(ask("GET", at_ + "/archive").status, 404);
}

}  // namespace
}  // namespace runner::api
