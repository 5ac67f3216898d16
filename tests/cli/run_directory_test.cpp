#include "runner/cli/run_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "runner/base/files.h"
#include "runner/cli/work_place.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

std::ptrdiff_t count(const fs::path& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

TEST(RunDirectory, IsPrivateAndGoneAtTheEnd) {
  const TempDir parent;
  fs::path path;
  {
    const RunDirectory run(parent.path() / "work");
    path = run.path();
    write_file_atomic(path / "file", "x", 0644, false);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(count(parent.path() / "work"), 0);
}

TEST(RunDirectory, LiveRunsAreLeftAlone) {
  const TempDir parent;
  const RunDirectory run(parent.path());
  remove_dead_runs(parent.path(), [](const fs::path&) { FAIL(); });
  EXPECT_TRUE(fs::exists(run.path()));
}

TEST(RunDirectory, DeadRunsAreRemovedAndOtherFilesKept) {
  const TempDir parent;
  fs::create_directory(parent.path() / "exec-dead");
  write_file_atomic(parent.path() / "exec-dead" / "big", "content", 0600, false);
  // Killed right at its beginning, or while it removed the directory.
  fs::create_directory(parent.path() / "exec-empty");
  fs::create_directory(parent.path() / "probe-dead");
  fs::create_directory(parent.path() / "other");
  fs::create_directory_symlink(parent.path() / "other", parent.path() / "exec-link");
  std::vector<std::string> ended;
  remove_dead_runs(parent.path(), [&](const fs::path& run) { ended.push_back(run.filename()); });
  EXPECT_THAT(ended, testing::UnorderedElementsAre("exec-dead", "exec-empty"));
  EXPECT_FALSE(fs::exists(parent.path() / "exec-dead"));
  EXPECT_FALSE(fs::exists(parent.path() / "exec-empty"));
  EXPECT_FALSE(fs::exists(parent.path() / "probe-dead"));
  EXPECT_TRUE(fs::exists(parent.path() / "other"));
  EXPECT_TRUE(fs::is_symlink(parent.path() / "exec-link"));
  remove_dead_runs(parent.path() / "missing", [](const fs::path&) { FAIL(); });
}

TEST(RunDirectory, ManyStartWhileOthersCleanUp) {
  const TempDir parent;
  const auto start_and_clean = [&] {
    for (int i = 0; i < 200; ++i) {
      const RunDirectory run(parent.path());
      remove_dead_runs(parent.path(), [](const fs::path&) {});
      write_file_atomic(run.path() / "file", "x", 0644, false);
    }
  };
  std::vector<std::future<void>> all;
  for (int i = 0; i < 8; ++i) all.push_back(std::async(std::launch::async, start_and_clean));
  for (auto& one : all) EXPECT_NO_THROW(one.get());
  EXPECT_EQ(count(parent.path()), 0);
}

TEST(RunDirectory, SharedTemporaryNamesAreNotTrusted) {
  const TempDir temporary;
  const auto place = private_temporary(temporary.path());
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(private_temporary(temporary.path()), place);
  fs::permissions(*place, fs::perms::all);
  EXPECT_EQ(private_temporary(temporary.path()), std::nullopt);
  fs::remove(*place);
  fs::create_directory_symlink("/tmp", *place);
  EXPECT_EQ(private_temporary(temporary.path()), std::nullopt);
}

TEST(WorkPlace, LiesInFollowsLinks) {
  const TempDir parent;
  fs::create_directories(parent.path() / "a" / "b");
  fs::create_directory_symlink(parent.path() / "a", parent.path() / "link");
  EXPECT_TRUE(lies_in(parent.path() / "a" / "b" / "not-there", parent.path() / "a"));
  EXPECT_TRUE(lies_in(parent.path() / "link" / "b", parent.path() / "a"));
  EXPECT_TRUE(lies_in(parent.path() / "a", parent.path() / "a"));
  EXPECT_FALSE(lies_in(parent.path() / "ab", parent.path() / "a"));
  EXPECT_FALSE(lies_in(parent.path(), parent.path() / "a"));
}

TEST(WorkPlace, DataInsideTheProjectIsNoPlaceForMounts) {
  const TempDir project;
  const WorkPlace place = choose_work_place(project.path() / "data", project.path());
  EXPECT_FALSE(lies_in(place.parent, project.path()));
}

}  // namespace
}  // namespace runner::cli
