#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/digest.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr std::string_view kBuild = R"(
build:
  script:
    - mkdir -p out/sub && echo hi > out/a && echo ho > out/sub/b && ln -s a out/l && chmod 755 out/a
  artifacts:
    name: "my app"
    paths: [out]
    expose_as: "The build"
)";

std::size_t count_files(const fs::path& directory) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with(".")) ++count;
  }
  return count;
}

std::string content_of(const Sandboxed& box, const std::string& name) {
  return read_file(box.project() / name).value_or("(no such file)");
}

std::size_t digests_in(const json& list) {
  std::set<std::string> digests;
  for (const json& artifact : list) digests.insert(artifact["sha256"]);
  return digests.size();
}

json list_of(const Sandboxed& box) {
  const Ended ended = box.run({"artifact", "list", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  return json::parse(ended.out);
}

TEST(Artifact, WhatAJobLeftIsListedAndShown) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 1U);
  const json& artifact = list[0];
  EXPECT_EQ(artifact["job"], "build");
  EXPECT_EQ(artifact["job_status"], "success");
  EXPECT_EQ(artifact["run"], 1);
  EXPECT_EQ(artifact["name"], "my app.zip");
  EXPECT_EQ(artifact["kind"], "archive");
  EXPECT_EQ(artifact["files"], 3);
  EXPECT_EQ(artifact["expose_as"], "The build");
  EXPECT_EQ(artifact["latest"], true);
  EXPECT_EQ(artifact["exists"], true);
  const fs::path path = artifact["path"].get<std::string>();
  const std::string digest = artifact["sha256"];
  EXPECT_EQ(digest, sha256_hex(*read_file(path)));
  EXPECT_TRUE(fs::equivalent(path, box.data() / "artifacts" / digest.substr(0, 2) / (digest + ".zip")));
  EXPECT_THAT(box.run({"artifact", "list"}).out, HasSubstr("The build"));
  const Ended shown = box.run({"artifact", "show", "build"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.out, HasSubstr("out/l -> a"));
  EXPECT_THAT(shown.out, HasSubstr("-rwxr-xr-x"));
  EXPECT_THAT(shown.out, HasSubstr(digest));
  const json details = json::parse(box.run({"artifact", "show", "1", "--json"}).out);
  EXPECT_EQ(details["contents"].size(), 5U);
}

TEST(Artifact, NothingKeptIsNothingListedAndNothingMade) {
  const Sandboxed box("a: {script: ['true']}\n");
  ASSERT_EQ(box.run({"exec"}).code, 0);
  const Ended ended = box.run({"artifact", "list"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, HasSubstr("no artifacts of this project"));
  EXPECT_TRUE(list_of(box).empty());
  EXPECT_FALSE(fs::exists(box.data() / "runner.db"));
}

TEST(Artifact, DownloadVerifiesWhatItCopies) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  const fs::path path = list_of(box)[0]["path"].get<std::string>();
  ASSERT_EQ(box.run({"artifact", "download", "build"}).code, 0);
  EXPECT_EQ(content_of(box, "my-app.zip"), *read_file(path));
  const Ended again = box.run({"artifact", "download", "build"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("exists"));
  EXPECT_EQ(box.run({"artifact", "download", "build", "--overwrite"}).code, 0);
  EXPECT_EQ(box.run({"artifact", "download", "1", "-o", "other.zip"}).code, 0);
  EXPECT_EQ(box.run({"artifact", "download", "build", "-o", "-"}).out, *read_file(path));
  // One byte in the middle is another one.
  std::string bytes = *read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(path, std::ios::binary | std::ios::in) << bytes;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"artifact", "download", "build", "-o", "bad.zip"},
        {"artifact", "download", "build", "-o", "-"},
        {"artifact", "extract", "build", "-C", "bad"}}) {
    const Ended damaged = box.run(words);
    EXPECT_EQ(damaged.code, 1);
    EXPECT_THAT(damaged.err, HasSubstr("is damaged"));
    EXPECT_EQ(damaged.out, "");
  }
  EXPECT_FALSE(fs::exists(box.project() / "bad.zip"));
  EXPECT_FALSE(fs::exists(box.project() / "bad"));
}

TEST(Artifact, ExtractTakesAllOrSomePaths) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  ASSERT_EQ(box.run({"artifact", "extract", "build", "-C", "all"}).code, 0);
  EXPECT_EQ(content_of(box, "all/out/sub/b"), "ho\n");
  EXPECT_EQ(fs::read_symlink(box.project() / "all/out/l"), "a");
  EXPECT_EQ(fs::status(box.project() / "all/out/a").permissions(), fs::perms(0755));
  ASSERT_EQ(box.run({"artifact", "extract", "build", "out/sub/", "-C", "some"}).code, 0);
  EXPECT_TRUE(fs::exists(box.project() / "some/out/sub/b"));
  EXPECT_FALSE(fs::exists(box.project() / "some/out/a"));
  const Ended unknown = box.run({"artifact", "extract", "build", "out/sud", "-C", "none"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'out/sub'?"));
  EXPECT_EQ(box.run({"artifact", "extract", "build", "-C", "all"}).code, 1) << "files are there already";
  EXPECT_EQ(box.run({"artifact", "extract", "build", "-C", "all", "--overwrite"}).code, 0);
}

TEST(Artifact, UnknownNamesGetHelp) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  for (const std::string action : {"show", "download", "extract", "remove"}) {
    const Ended ended = box.run({"artifact", action, "biuld"});
    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.err, HasSubstr("no artifacts of job 'biuld'"));
    EXPECT_THAT(ended.err, HasSubstr("did you mean 'build'?"));
    EXPECT_EQ(box.run({"artifact", action}).code, 2);
  }
  EXPECT_EQ(box.run({"artifact", "show", "99"}).code, 1);
  EXPECT_EQ(box.run({"artifact", "show", "build", "--run", "7"}).code, 1);
  EXPECT_EQ(box.run({"artifact", "show", "build", "--run", "x"}).code, 2);
}

TEST(Artifact, JobStandsForItsNewestAndRunsCanBeNamed) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["run"], 2);
  EXPECT_EQ(list[0]["latest"], true);
  EXPECT_EQ(list[1]["latest"], false);
  EXPECT_EQ(json::parse(box.run({"artifact", "show", "build", "--json"}).out)["run"], 2);
  EXPECT_EQ(json::parse(box.run({"artifact", "show", "build", "--run", "1", "--json"}).out)["run"], 1);
  EXPECT_EQ(json::parse(box.run({"artifact", "list", "--run", "1", "--json"}).out).size(), 1U);
}

TEST(Artifact, RemoveTakesRowAndBothNames) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  EXPECT_EQ(count_files(box.data() / "artifacts"), 1U);
  ASSERT_EQ(box.run({"artifact", "remove", "build"}).code, 0);
  EXPECT_TRUE(list_of(box).empty());
  EXPECT_EQ(count_files(box.data() / "artifacts"), 0U);
  EXPECT_EQ(count_files(box.data() / "runs"), 0U);
}

TEST(Artifact, RemovedOnesAreNotHandedToLaterJobs) {
  const Sandboxed box(std::string(kBuild) + "use: {needs: [build], script: [cat out/a]}\n");
  ASSERT_EQ(box.run({"exec"}).code, 0);
  ASSERT_EQ(box.run({"exec", "use"}).code, 0);
  ASSERT_EQ(box.run({"artifact", "remove", "build"}).code, 0);
  const Ended ended = box.run({"exec", "use"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr("the artifacts of 'build' are gone: removed"));
}

TEST(Artifact, OfOneOfManyJobsAreFoundByTheirBaseName) {
  const Sandboxed box(
      "m: {parallel: {matrix: [{OS: [lin, win]}]}, script: [echo > f], artifacts: {paths: [f]}}\n");
  ASSERT_EQ(box.run({"exec"}).code, 0);
  EXPECT_THAT(box.run({"artifact", "show", "m"}).err, HasSubstr("did you mean 'm: [lin]'?"));
}

TEST(Artifact, APartOfGitAmongThemIsTold) {
  const Sandboxed box("job: {script: [echo new > new], artifacts: {paths: ['.']}}\n");
  EXPECT_THAT(box.run({"exec"}).out, HasSubstr("a part of '.git' is among the artifacts"));
}

TEST(Artifact, LostFileIsToldAndNothingElse) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  fs::remove_all(box.data() / "artifacts");
  EXPECT_EQ(list_of(box)[0]["exists"], true) << "the other name is there";
  fs::remove_all(box.data() / "runs");
  EXPECT_EQ(list_of(box)[0]["exists"], false);
  EXPECT_THAT(box.run({"artifact", "list"}).out, HasSubstr("gone"));
  const Ended ended = box.run({"artifact", "download", "build"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("is gone"));
  ASSERT_EQ(box.run({"exec"}).code, 0);
  EXPECT_EQ(list_of(box)[0]["run"], 2) << "a number is not given again while its record is there";
}

TEST(Artifact, OldRunsGoButTheLatestSuccessStays) {
  const Sandboxed box(
      "a:\n  script: ['echo $CI_PIPELINE_IID > f', 'test ! -e broken']\n  artifacts: {paths: [f], when: "
      "always}\n");
  ASSERT_EQ(box.run({"exec"}).code, 0);
  box.write("broken", "");
  for (int i = 0; i < 11; ++i) ASSERT_EQ(box.run({"exec", "-q"}).code, 1);
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 11U);
  EXPECT_EQ(list[0]["run"], 12);
  EXPECT_EQ(list[9]["run"], 3);
  EXPECT_EQ(list[10]["run"], 1);
  EXPECT_EQ(list[10]["job_status"], "success");
  for (const json& artifact : list) EXPECT_EQ(artifact["exists"], true) << artifact;
  EXPECT_EQ(box.run({"artifact", "extract", "a", "--run", "1", "-C", "x"}).code, 0);
}

TEST(Artifact, ExpiredGoWithTheNextRun) {
  const Sandboxed box(
      "a:\n  script: ['date +%N > f']\n  artifacts: {paths: [f], expire_in: 1 second}\n"
      "b:\n  script: ['echo b > f', 'exit 1']\n  artifacts: {paths: [f], expire_in: 1 second, when: always}\n"
      "c:\n  script: ['echo c > f', 'exit 1']\n  artifacts: {paths: [f], expire_in: never, when: always}\n"
      "d:\n  script: ['sleep 1.1; echo d > f']\n  needs: []\n  artifacts: {paths: [f]}\n");
  ASSERT_EQ(box.run({"exec", "a", "b", "c"}).code, 1);
  EXPECT_EQ(list_of(box).size(), 3U);
  ASSERT_EQ(box.run({"exec", "d"}).code, 0);
  std::vector<std::string> jobs;
  for (const json& artifact : list_of(box)) jobs.push_back(artifact["job"]);
  EXPECT_THAT(jobs, testing::UnorderedElementsAre("a", "c", "d")) << "the latest success of 'a' stays";
  EXPECT_EQ(count_files(box.data() / "artifacts"), 3U);
}

TEST(Artifact, ReportsAreKeptAsArtifactsOfTheirOwn) {
  const Sandboxed box(
      "a:\n  script: ['echo A=1 > d.env', 'exit 1']\n  artifacts: {reports: {dotenv: d.env}, paths: [x]}\n");
  ASSERT_EQ(box.run({"exec"}).code, 1);
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["kind"], "reports");
  EXPECT_EQ(list[0]["job_status"], "failed");
  ASSERT_EQ(box.run({"artifact", "extract", "a", "-C", "x"}).code, 0);
  EXPECT_EQ(content_of(box, "x/d.env"), "A=1\n");
}

TEST(Artifact, ProjectsSeeTheirOwnUnlessAskedForAll) {
  const Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  fs::create_directories(box.project() / "other");
  box.shell("git init -q other");
  EXPECT_THAT(box.run({"artifact", "list", "-C", "other"}).err, HasSubstr("'--all' lists those of others"));
  EXPECT_EQ(json::parse(box.run({"artifact", "list", "-C", "other", "--all", "--json"}).out).size(), 1U);
  EXPECT_EQ(box.run({"artifact", "show", "build", "-C", "other"}).code, 1);
  EXPECT_EQ(box.run({"artifact", "show", "build", "-C", "other", "--all"}).code, 0);
}

TEST(Artifact, RunsAtTheSameTimeKeepWhatTheyLeft) {
  const Sandboxed box("a:\n  script: ['echo $RANDOM$RANDOM > f']\n  artifacts: {paths: [f]}\n");
  std::vector<std::unique_ptr<Running>> runs;
  for (int i = 0; i < 6; ++i) runs.push_back(box.start({"exec", "-q"}));
  for (const auto& run : runs) EXPECT_EQ(run->wait().code, 0);
  const json list = list_of(box);
  ASSERT_EQ(list.size(), 6U);
  for (const json& artifact : list) {
    EXPECT_EQ(artifact["exists"], true);
    EXPECT_EQ(box.run({"artifact", "extract", std::to_string(artifact["id"].get<int>()), "-C",
                       "x" + std::to_string(artifact["id"].get<int>())})
                  .code,
              0);
  }
}

TEST(Artifact, HostilePathsAndLinksStayInside) {
  const Sandboxed box(R"(
a:
  script:
    - mkdir -p d/D out && echo x > d/f && echo y > d/F
    - ln -s /etc/passwd d/link && ln -s ../../../.. d/up && ln -s /etc out/etc
  artifacts: {paths: [d, ../outside, /etc/passwd, out/etc/passwd, d/up/etc]}
)");
  const Ended ended = box.run({"exec"});
  ASSERT_EQ(ended.code, 0) << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("'../outside' lies outside"));
  EXPECT_THAT(ended.out, HasSubstr("'/etc/passwd' lies outside"));
  EXPECT_THAT(ended.out, HasSubstr("no file matches 'out/etc/passwd'"));
  const json details = json::parse(box.run({"artifact", "show", "a", "--json"}).out);
  std::vector<std::string> paths;
  for (const json& entry : details["contents"]) {
    paths.push_back(entry["path"]);
    EXPECT_EQ(entry.value("target", ""), entry["path"] == "d/link" ? "/etc/passwd"
                                         : entry["path"] == "d/up" ? "../../../.."
                                                                   : "");
  }
  EXPECT_THAT(paths, testing::UnorderedElementsAre("d/", "d/D/", "d/F", "d/f", "d/link", "d/up"));
  const Ended extracted = box.run({"artifact", "extract", "a", "-C", "x"});
  EXPECT_EQ(extracted.code, 1) << "it names files alike but for case, and leads out";
  EXPECT_THAT(extracted.err, HasSubstr("entry 'd/"));
}

TEST(Artifact, KilledRunLeavesNoRowWithoutItsFile) {
#ifndef RUNNER_FAILPOINTS
  GTEST_SKIP() << "no failpoints in this build";
#endif
  for (const std::string point :
       {"artifacts.synced", "artifacts.published", "shelf.linked", "shelf.shelved", "shelf.recorded"}) {
    SCOPED_TRACE(point);
    Sandboxed box(kBuild);
    box.environment.push_back("RUNNER_FAILPOINT=" + point);
    EXPECT_EQ(box.run({"exec"}).code, 128 + SIGKILL);
    box.environment.pop_back();
    for (const json& artifact : list_of(box)) EXPECT_EQ(artifact["exists"], true);
    ASSERT_EQ(box.run({"exec"}).code, 0);
    const json list = list_of(box);
    EXPECT_EQ(list.size(), point == "shelf.recorded" ? 2U : 1U);
    EXPECT_EQ(count_files(box.data() / "artifacts"), digests_in(list)) << "a file without a row stayed";
    EXPECT_EQ(box.run({"artifact", "extract", "build", "-C", "x"}).code, 0);
  }
}

TEST(Artifact, KilledRemovalIsDoneByTheNextRun) {
#ifndef RUNNER_FAILPOINTS
  GTEST_SKIP() << "no failpoints in this build";
#endif
  Sandboxed box(kBuild);
  ASSERT_EQ(box.run({"exec"}).code, 0);
  box.environment.push_back("RUNNER_FAILPOINT=shelf.forgotten");
  EXPECT_EQ(box.run({"artifact", "remove", "build"}).code, 128 + SIGKILL);
  box.environment.pop_back();
  EXPECT_TRUE(list_of(box).empty());
  ASSERT_EQ(box.run({"exec"}).code, 0);
  EXPECT_EQ(count_files(box.data() / "artifacts"), 1U);
}

}  // namespace
}  // namespace runner::cli
