#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runner/base/digest.h"
#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string sha256_of(const std::string& bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.finish_hex();
}

struct ArtifactCommands : ::testing::Test {
  Sandboxed box{"", false};
  const std::string bytes = std::string("PK\0\x1b[31m", 8) + std::string(300'000, 'z');
  FakeServer server{box.data()};  // last: its threads read what is above

  void offer(const std::string& name, const std::string& announced, const std::string& sent) {
    server.on("GET /jobs/2/artifacts", 200,
              R"({"items":[{"name":")" + name + R"(","kind":"archive","bytes":)" +
                  std::to_string(announced.size()) + R"(,"files":3,"sha256":")" + sha256_of(announced) +
                  R"("},{"name":"reports.zip","kind":"reports","bytes":1,"files":1,"sha256":")" +
                  sha256_of("r") + R"("}],"next":null})");
    server.on("GET /jobs/2/artifacts/archive",
              [=](const http::Request&) { return http::text_response(200, sent, "application/zip"); });
    server.on("GET /jobs/2/artifacts/reports",
              [](const http::Request&) { return http::text_response(200, "r", "application/zip"); });
  }
  std::string fetched(const std::string& name) const { return box.read("project/" + name); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(box.project())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(ArtifactCommands, ListIsATable) {
  offer("artifacts.zip", bytes, bytes);
  Ended ended = box.run({"artifact", "list", "--job-id", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("KIND     NAME           FILES"));
  EXPECT_THAT(ended.out, HasSubstr("archive  artifacts.zip      3  293.0 KiB  " + sha256_of(bytes)));
  EXPECT_EQ(box.run({"artifact", "list", "--job-id", "2", "-q"}).out, "archive\nreports\n");
  EXPECT_THAT(box.run({"artifact", "list", "--job-id", "2", "--json"}).out, HasSubstr(R"("kind":"reports")"));
}

TEST_F(ArtifactCommands, DownloadTakesTheNameOfTheArchive) {
  offer("artifacts.zip", bytes, bytes);
  Ended ended = box.run({"artifact", "download", "--job-id", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "artifacts.zip: 293.0 KiB of job 2\n");
  EXPECT_EQ(fetched("artifacts.zip"), bytes);
  ended = box.run({"artifact", "download", "--job-id", "2", "--kind", "reports", "-o", "r.zip", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr(R"("downloaded_to":")" + (box.project() / "r.zip").string()));
  EXPECT_EQ(fetched("r.zip"), "r");
}

TEST_F(ArtifactCommands, AServerDoesNotChooseWhereWeWrite) {
  for (const char* name : {"../../evil", "/tmp/evil", ".bashrc", "a\\u0000b", "..", "-o"}) {
    offer(name, bytes, bytes);
    const Ended ended = box.run({"artifact", "download", "--job-id", "2", "--overwrite"});
    EXPECT_EQ(ended.code, 0) << ended.err;
  }
  for (const std::string& name : files()) {
    EXPECT_FALSE(name.starts_with('.')) << name;
    EXPECT_EQ(fetched(name), bytes) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(box.project().parent_path()), {}),
            4);  // and data, home, stderr
}

TEST_F(ArtifactCommands, WhatExistsStaysUnlessToldOtherwise) {
  offer("artifacts.zip", bytes, bytes);
  box.write("artifacts.zip", "mine");
  fs::create_directory(box.project() / "out");
  fs::create_symlink("../artifacts.zip", box.project() / "out" / "artifacts.zip");
  Ended ended = box.run({"artifact", "download", "--job-id", "2"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err,
            "runner: error: 'artifacts.zip' exists\n  help: name another with -o, or add --overwrite\n");
  EXPECT_EQ(box.run({"artifact", "download", "--job-id", "2", "-o", "out"}).code, 1);
  EXPECT_EQ(fetched("artifacts.zip"), "mine");
  // A link is replaced, not followed.
  EXPECT_EQ(box.run({"artifact", "download", "--job-id", "2", "-o", "out", "--overwrite"}).code, 0);
  EXPECT_EQ(fetched("artifacts.zip"), "mine");
  EXPECT_EQ(fetched("out/artifacts.zip"), bytes);
  EXPECT_EQ(box.run({"artifact", "download", "--job-id", "2", "-o", "artifacts.zip"}).code, 0);
  EXPECT_EQ(fetched("artifacts.zip"), bytes);
}

TEST_F(ArtifactCommands, WhatIsDamagedLeavesNothing) {
  const std::string other = std::string(bytes.size(), 'y');
  for (const std::string& sent : {other, bytes + "more", bytes.substr(0, 1000), std::string()}) {
    offer("artifacts.zip", bytes, sent);
    for (const char* output : {"x.zip", "-"}) {
      const Ended ended = box.run({"artifact", "download", "--job-id", "2", "-o", output});
      EXPECT_EQ(ended.code, 1);
      EXPECT_EQ(ended.out, "");
      EXPECT_THAT(ended.err, HasSubstr("the archive of job 2 is damaged"));
    }
    EXPECT_TRUE(files().empty());
  }
}

TEST_F(ArtifactCommands, ADownloadThatBreaksOffLeavesNothing) {
  offer("artifacts.zip", bytes, bytes);
  server.on("GET /jobs/2/artifacts/archive",
            [&](const http::Request&) { return event_stream(bytes.substr(0, 1000), true); });
  const Ended ended = box.run({"artifact", "download", "--job-id", "2"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("broke after 1000 B; try again"));
  EXPECT_TRUE(files().empty());
}

TEST_F(ArtifactCommands, StandardOutputGetsTheBytes) {
  offer("artifacts.zip", bytes, bytes);
  EXPECT_EQ(box.run({"artifact", "download", "--job-id", "2", "-o", "-"}).out, bytes);
}

TEST_F(ArtifactCommands, AJobWithoutAnyIsSaid) {
  server.on("GET /jobs/2/artifacts", 200, R"({"items":[],"next":null})");
  EXPECT_EQ(box.run({"artifact", "list", "--job-id", "2"}).err, "runner: job 2 left no artifacts\n");
  const Ended ended = box.run({"artifact", "download", "--job-id", "2"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "runner: error: job 2 left no archive\n");
  EXPECT_EQ(box.run({"artifact", "download", "--job-id", "3"}).code, 1);
}

TEST_F(ArtifactCommands, AServerNeedsAJob) {
  Ended ended = box.run({"artifact", "list", "--server", server.url()});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("help: add --job-id N; 'runner pipeline show'"));
  box.environment = {"RUNNER_URL=" + server.url()};
  ended = box.run({"artifact", "list"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--data DIR or unsetting it means those of local runs"));
  // Those of local runs.
  EXPECT_EQ(box.run({"artifact", "list", "--all", "--data", box.data()}).code, 0);
  EXPECT_TRUE(server.asked().empty());
  offer("artifacts.zip", bytes, bytes);
  EXPECT_EQ(box.run({"artifact", "list", "--job-id", "2"}).code, 0);
  EXPECT_THAT(server.asked_what(), ElementsAre("GET /jobs/2/artifacts"));
}

}  // namespace
}  // namespace runner::cli
