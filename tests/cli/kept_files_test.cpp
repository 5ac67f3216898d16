#include "runner/cli/kept_files.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

TEST(KeptFiles, NamesNeedNoQuotes) {
  EXPECT_EQ(plain_file_name("unit tests"), "unit-tests");
  EXPECT_EQ(plain_file_name("build: [a, b]"), "build-a-b");
  EXPECT_EQ(plain_file_name("../../etc/passwd"), "_.-..-etc-passwd");
  EXPECT_EQ(plain_file_name(".."), "_.");
  EXPECT_EQ(plain_file_name("/"), "_");
  EXPECT_EQ(plain_file_name(""), "_");
  EXPECT_EQ(plain_file_name(std::string("a\0\n$(b)", 7)), "a-b");
  EXPECT_EQ(plain_file_name("日本"), "日本");
  EXPECT_EQ(plain_file_name(std::string(99, 'x') + "日本"), std::string(99, 'x'));
  EXPECT_EQ(plain_file_name(std::string(300, 'x')).size(), 100U);
}

TEST(KeptFiles, SurviveTheirSource) {
  const TempDir root("kept");
  write_file_atomic(root.path() / "a", "content", 0600, false);
  KeptFiles kept(root.path() / "data", "/srv/my project");
  const fs::path path = kept.keep(root.path() / "a", "job", "a.zip");
  fs::remove(root.path() / "a");
  EXPECT_EQ(read_file(path), "content");
  EXPECT_EQ(path.parent_path().filename(), "job");
  EXPECT_TRUE(path.parent_path().parent_path().parent_path().filename().string().starts_with("my-project-"));
}

TEST(KeptFiles, JobsWithTheSamePlainNameStayApart) {
  const TempDir root("kept");
  write_file_atomic(root.path() / "a", "a", 0600, false);
  write_file_atomic(root.path() / "b", "b", 0600, false);
  KeptFiles kept(root.path(), "/p");
  const fs::path a = kept.keep(root.path() / "a", "x y", "job.log");
  const fs::path b = kept.keep(root.path() / "b", "x/y", "job.log");
  EXPECT_EQ(read_file(a), "a");
  EXPECT_EQ(read_file(b), "b");
  // The same job again: the same directory.
  EXPECT_EQ(kept.keep(root.path() / "a", "x y", "artifacts.zip").parent_path(), a.parent_path());
}

TEST(KeptFiles, OnlyTheNewestRunsOfAProjectStay) {
  const TempDir root("kept");
  write_file_atomic(root.path() / "a", "a", 0600, false);
  const auto run = [&](const fs::path& project) {
    KeptFiles kept(root.path() / "data", project);
    const fs::path path = kept.keep(root.path() / "a", "job", "job.log");
    kept.remove_old();
    return path;
  };
  const fs::path other = run("/other");
  const fs::path first = run("/p");
  fs::path last;
  for (std::size_t i = 0; i < kKeptRuns; ++i) last = run("/p");
  EXPECT_TRUE(fs::exists(other));
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(last));
  EXPECT_EQ(last.parent_path().parent_path().filename(), std::to_string(kKeptRuns + 1));
}

TEST(KeptFiles, ANumberIsGivenOnceAlsoToRunsThatLeaveNoFiles) {
  const TempDir root;
  write_file_atomic(root.path() / "a", "content", 0644, false);
  for (std::uint64_t number = 1; number <= 20; ++number) {
    KeptFiles kept(root.path() / "data", "/srv/project");
    EXPECT_EQ(kept.number(), number);
    if (number == 1) kept.keep(root.path() / "a", "job", "a");
    kept.remove_empty();
  }
  const fs::path project = fs::directory_iterator(root.path() / "data" / "runs")->path();
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(project)) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{"1", "20"}));
}

TEST(KeptFiles, AnEmptyRunThatAnotherOneRemovedIsThereAgain) {
  const TempDir root;
  write_file_atomic(root.path() / "a", "content", 0644, false);
  KeptFiles first(root.path() / "data", "/srv/project"), second(root.path() / "data", "/srv/project");
  EXPECT_EQ(first.number(), 1U);
  EXPECT_EQ(second.number(), 2U);
  second.remove_empty();
  const fs::path kept = first.keep(root.path() / "a", "job", "a");
  EXPECT_EQ(kept.parent_path().parent_path().filename(), "1");
  EXPECT_EQ(read_file(kept), "content");
}

// Whatever the runs beside it remove, in every order of their steps.
TEST(KeptFiles, RunsAtOnceDoNotTakeEachOthersDirectories) {
  const TempDir root;
  write_file_atomic(root.path() / "a", "content", 0644, false);
  std::vector<std::thread> runs;
  for (int thread = 0; thread < 4; ++thread) {
    runs.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        KeptFiles kept(root.path() / "data", "/srv/project");
        kept.number();
        EXPECT_NO_THROW(EXPECT_TRUE(fs::exists(kept.keep(root.path() / "a", "job", "a"))));
        kept.remove_empty();
      }
    });
  }
  for (std::thread& run : runs) run.join();
}

TEST(KeptFiles, AMissingSourceIsAnError) {
  const TempDir root("kept");
  KeptFiles kept(root.path(), "/p");
  EXPECT_THROW(kept.keep(root.path() / "none", "job", "job.log"), Error);
}

}  // namespace
}  // namespace runner::cli
