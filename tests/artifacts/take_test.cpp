#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "artifacts/artifacts.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::artifacts {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr timespec kOld = {1600000000, 123456789};

void set_time(const fs::path& path) {
  const timespec times[2] = {kOld, kOld};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

struct stat look(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

unsigned mode_of(const fs::path& path) {
  return look(path).st_mode & 07777U;
}

/// False where nobody may make device nodes.
bool whiteout(const fs::path& path) {
  make_directories(path.parent_path());
  return ::mknod(path.c_str(), S_IFCHR, makedev(0, 0)) == 0;
}

bool mark_opaque(const fs::path& directory) {
  return ::setxattr(directory.c_str(), "user.overlay.opaque", "y", 1, 0) == 0;
}

bool is_marked(const fs::path& directory) {
  return ::getxattr(directory.c_str(), "user.overlay.opaque", nullptr, 0) >= 0;
}

/// "path type mode time content" of everything.
Strings snapshot(const fs::path& tree) {
  Strings all;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(tree)) {
    const struct stat info = look(entry.path());
    std::string line = entry.path().lexically_relative(tree).string() + " " + std::to_string(info.st_mode);
    if (!S_ISDIR(info.st_mode)) line += " " + std::to_string(info.st_mtim.tv_nsec);
    if (S_ISREG(info.st_mode)) line += " " + *read_file(entry.path());
    if (S_ISLNK(info.st_mode)) line += " " + fs::read_symlink(entry.path()).string();
    all.push_back(std::move(line));
  }
  std::sort(all.begin(), all.end());
  return all;
}

class Take : public testing::Test {
 protected:
  Take() {
    for (const fs::path& directory : {upper_, lower_, tree_}) make_directories(directory);
  }

  static void put(const fs::path& file, std::string_view content, unsigned mode = 0644) {
    make_directories(file.parent_path());
    write_file_atomic(file, content, mode, false);
    set_time(file);
  }

  TakeRequest request(Strings paths, Strings exclude = {}) const {
    TakeRequest request;
    request.layers = {upper_, lower_};
    request.paths = std::move(paths);
    request.exclude = std::move(exclude);
    request.root = "/p";
    request.may_move = true;
    return request;
  }
  Taken take(const Strings& paths, const Strings& exclude = {}) const {
    return take_layer(request(paths, exclude), tree_);
  }

  TempDir dir_{"take-"};
  const fs::path upper_ = dir_.path() / "upper";
  const fs::path lower_ = dir_.path() / "lower";
  const fs::path tree_ = dir_.path() / "tree";
};

TEST_F(Take, DirectoryOfTheJobAloneIsMovedWhole) {
  put(upper_ / "out/deep/f", "content", 0755);
  make_directories(upper_ / "out/empty");
  fs::create_symlink("/etc/passwd", upper_ / "out/link");
  ASSERT_EQ(::chmod((upper_ / "out/deep").c_str(), 0710), 0);
  set_time(upper_ / "out/deep");
  set_time(upper_ / "out");
  const ino_t before = look(upper_ / "out").st_ino;
  const Taken taken = take({"out"});
  EXPECT_EQ(taken.stats.files, 2U);
  EXPECT_EQ(taken.stats.directories, 3U);
  EXPECT_EQ(taken.stats.bytes, 7U);
  EXPECT_GE(taken.stats.disk, 512U);
  EXPECT_EQ(look(tree_ / "out").st_ino, before);
  EXPECT_FALSE(fs::exists(upper_ / "out"));
  EXPECT_EQ(mode_of(tree_ / "out/deep"), 0710U);
  EXPECT_EQ(look(tree_ / "out").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(look(tree_ / "out/deep").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(fs::read_symlink(tree_ / "out/link"), "/etc/passwd");
}

TEST_F(Take, WithoutLeaveToMoveTheJobsFilesAreLinked) {
  put(upper_ / "out/f", "x");
  TakeRequest wanted = request({"out"});
  wanted.may_move = false;
  take_layer(wanted, tree_);
  EXPECT_EQ(look(tree_ / "out/f").st_ino, look(upper_ / "out/f").st_ino);
}

TEST_F(Take, DirectoryInSeveralLayersIsMerged) {
  put(upper_ / "out/new", "n");
  put(upper_ / "out/own/f", "o");
  put(upper_ / "out/both", "upper");
  put(lower_ / "out/both", "lower");
  put(lower_ / "out/old", "old", 0640);
  put(lower_ / "out/sub/f", "s");
  const ino_t own = look(upper_ / "out/own").st_ino;
  const Taken taken = take({"out/"});
  EXPECT_EQ(taken.stats.files, 5U);
  EXPECT_EQ(taken.stats.directories, 3U);
  EXPECT_EQ(read_file(tree_ / "out/both"), "upper");
  EXPECT_EQ(read_file(tree_ / "out/sub/f"), "s");
  EXPECT_EQ(mode_of(tree_ / "out/old"), 0640U);
  EXPECT_EQ(look(tree_ / "out/own").st_ino, own) << "what is the job's alone is still moved";
  EXPECT_NE(look(tree_ / "out/old").st_ino, look(lower_ / "out/old").st_ino);
  EXPECT_TRUE(fs::exists(lower_ / "out/old"));
}

TEST_F(Take, FilesThatNeverChangeAreLinked) {
  put(lower_ / "out/old", "old");
  TakeRequest wanted = request({"out"});
  Strings asked;
  wanted.is_immutable = [&](const fs::path& path) {
    asked.push_back(path.string());
    return true;
  };
  take_layer(wanted, tree_);
  EXPECT_EQ(look(tree_ / "out/old").st_ino, look(lower_ / "out/old").st_ino);
  EXPECT_EQ(asked, Strings{(lower_ / "out/old").string()});
}

TEST_F(Take, WhatAJobDeletedIsNotThereAndHidesNothing) {
  put(lower_ / "out/gone", "x");
  put(lower_ / "out/dir/gone", "x");
  put(upper_ / "out/kept", "k");
  put(upper_ / "out/dir/new", "n");
  if (!whiteout(upper_ / "out/gone")) GTEST_SKIP() << "no device nodes here";
  ASSERT_TRUE(mark_opaque(upper_ / "out/dir"));
  const Taken taken = take({"out"});
  EXPECT_EQ(taken.stats.files, 2U);
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_ / "out/gone")));
  EXPECT_FALSE(fs::exists(tree_ / "out/dir/gone"));
  EXPECT_FALSE(is_marked(tree_ / "out/dir"));
  EXPECT_TRUE(taken.stats.skipped.empty());
}

TEST_F(Take, MovedDirectoryLosesItsMarksButNotItsTimes) {
  put(upper_ / "out/sub/f", "x");
  if (!whiteout(upper_ / "out/sub/gone")) GTEST_SKIP() << "no device nodes here";
  ASSERT_TRUE(mark_opaque(upper_ / "out"));
  ASSERT_EQ(::mkfifo((upper_ / "out/sub/pipe").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((upper_ / "out/sub").c_str(), 0500), 0);
  set_time(upper_ / "out/sub");
  set_time(upper_ / "out");
  const Taken taken = take({"out"});
  EXPECT_EQ(taken.stats.skipped, Strings{"out/sub/pipe"});
  EXPECT_FALSE(is_marked(tree_ / "out"));
  EXPECT_EQ(mode_of(tree_ / "out/sub"), 0500U);
  EXPECT_EQ(look(tree_ / "out/sub").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(look(tree_ / "out").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(std::distance(fs::directory_iterator(tree_ / "out/sub"), fs::directory_iterator()), 1);
}

TEST_F(Take, ContentOfADirectoryIsMovedWithoutItsAttributes) {
  put(upper_ / "out/a/f", "x");
  put(upper_ / "out/b", "y");
  ASSERT_EQ(::chmod((upper_ / "out").c_str(), 0700), 0);
  const Taken taken = take({"out/*", "nothing/*", "out/*.txt"});
  EXPECT_EQ(taken.stats.files, 2U);
  EXPECT_EQ(taken.stats.directories, 1U);
  EXPECT_EQ(mode_of(tree_ / "out"), 0755U);
  EXPECT_THAT(taken.without_match, UnorderedElementsAre("nothing/*", "out/*.txt"));
}

TEST_F(Take, EmptyDirectoryHasNoContentToMatch) {
  make_directories(upper_ / "out");
  const Taken taken = take({"out/*"});
  EXPECT_EQ(taken.without_match, Strings{"out/*"});
  EXPECT_TRUE(taken.empty());
  EXPECT_TRUE(fs::is_empty(tree_));
}

TEST_F(Take, PathsThatLeaveTheWorkspaceAreNamedAndNothingIsFollowed) {
  put(dir_.path() / "outside/secret", "secret");
  put(upper_ / "f", "x");
  fs::create_directory_symlink(dir_.path() / "outside", upper_ / "door");
  fs::create_directory_symlink(dir_.path() / "outside", lower_ / "old_door");
  const Taken taken =
      take({"../outside", "/etc/passwd", "door/secret", "door/*", "old_door/**/*", "d/../../x", "/p/f"});
  EXPECT_THAT(taken.outside, UnorderedElementsAre("../outside", "/etc/passwd", "d/../../x"));
  EXPECT_THAT(taken.without_match, UnorderedElementsAre("door/secret", "door/*", "old_door/**/*"));
  EXPECT_EQ(snapshot(tree_).size(), 1U);
  EXPECT_TRUE(fs::exists(dir_.path() / "outside/secret"));
}

TEST_F(Take, TooMuchIsRefusedWithBothSizes) {
  put(upper_ / "out/a", std::string(3000, 'a'));
  put(lower_ / "out/b", std::string(3000, 'b'));
  TakeRequest wanted = request({"out"});
  wanted.max_bytes = 4096;
  try {
    take_layer(wanted, tree_);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("artifacts are 5.9 KiB, more than the limit of 4.0 KiB"));
  }
  EXPECT_FALSE(fs::exists(tree_ / "out/b")) << "copied although it is in vain";
}

TEST_F(Take, LimitIsWhatIsAllowed) {
  put(upper_ / "f", std::string(4096, 'a'));
  TakeRequest wanted = request({"f"});
  wanted.max_bytes = 4096;
  EXPECT_EQ(take_layer(wanted, tree_).stats.bytes, 4096U);
}

TEST_F(Take, HardLinksAmongTheTakenStay) {
  put(upper_ / "out/a", "one");
  fs::create_hard_link(upper_ / "out/a", upper_ / "out/b");
  put(lower_ / "low/a", "two");
  fs::create_hard_link(lower_ / "low/a", lower_ / "low/b");
  const Taken taken = take({"out", "low"});
  EXPECT_EQ(look(tree_ / "out/a").st_ino, look(tree_ / "out/b").st_ino);
  EXPECT_EQ(look(tree_ / "low/a").st_ino, look(tree_ / "low/b").st_ino);
  EXPECT_NE(look(tree_ / "low/a").st_ino, look(lower_ / "low/a").st_ino);
  EXPECT_EQ(taken.stats.files, 4U);
}

TEST_F(Take, CopiedWorkspaceSharesNothingWithFilesOutside) {
  const fs::path outside = dir_.path() / "mine";
  put(outside, "precious");
  make_directories(upper_ / "out/sub");
  fs::create_hard_link(outside, upper_ / "out/a");
  fs::create_hard_link(outside, upper_ / "out/sub/b");
  put(upper_ / "out/c", "twins");
  fs::create_hard_link(upper_ / "out/c", upper_ / "out/d");
  for (const bool may_move : {false, true}) {
    const fs::path tree = dir_.path() / (may_move ? "moved" : "linked");
    make_directories(tree);
    TakeRequest wanted = request({"out"});
    wanted.layers = {upper_};
    wanted.may_move = may_move;
    take_layer(wanted, tree);
    EXPECT_NE(look(tree / "out/a").st_ino, look(outside).st_ino);
    EXPECT_EQ(look(tree / "out/a").st_ino, look(tree / "out/sub/b").st_ino);
    EXPECT_EQ(look(tree / "out/a").st_mtim.tv_nsec, kOld.tv_nsec);
    EXPECT_EQ(read_file(tree / "out/sub/b"), "precious");
    EXPECT_EQ(look(tree / "out/c").st_ino, look(tree / "out/d").st_ino);
    EXPECT_EQ(look(tree / "out/a").st_nlink, 2U);
  }
}

TEST_F(Take, UntrackedFilesAreTakenToo) {
  put(lower_ / "tracked", "t");
  put(lower_ / "ignored.o", "i");
  put(lower_ / ".git/config", "g");
  put(upper_ / "build/f", "b");
  put(upper_ / "build/f.tmp", "b");
  TakeRequest wanted = request({}, {"**/*.tmp"});
  wanted.untracked = true;
  wanted.is_tracked = [](std::string_view path) { return path == "tracked"; };
  const Taken taken = take_layer(wanted, tree_);
  EXPECT_EQ(taken.stats.files, 2U);
  EXPECT_TRUE(fs::exists(tree_ / "ignored.o"));
  EXPECT_TRUE(fs::exists(tree_ / "build/f"));
  EXPECT_FALSE(fs::exists(tree_ / "tracked"));
  EXPECT_FALSE(fs::exists(tree_ / ".git"));
}

TEST_F(Take, TreesMayBeDeeperThanDescriptorsReach) {
  fs::path deep = upper_ / "out";
  for (int i = 0; i < 400; ++i) deep /= "abcdefgh";
  const fs::path last = deep / "f";
  make_directories(deep);
  put(last, "x");
  set_time(deep);
  EXPECT_EQ(take({"out"}).stats.files, 1U);
  EXPECT_TRUE(fs::exists(tree_ / last.lexically_relative(upper_)));
}

TEST_F(Take, WholeWorkspaceCanBeTaken) {
  put(upper_ / "a", "a");
  put(upper_ / "d/f", "f");
  put(lower_ / "b", "b");
  EXPECT_EQ(take({"."}).stats.files, 3U);
  EXPECT_EQ(snapshot(tree_).size(), 4U);
}

/// A layered tree made at random, with all kinds of entries.
class RandomTree {
 public:
  RandomTree(fs::path root, unsigned seed) : root_(std::move(root)), random_(seed) {}

  void fill(bool upper) {
    for (unsigned i = 0; i < 14; ++i) add(upper);
  }

 private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
  std::string name() { return std::string(1, static_cast<char>('a' + pick(4))) + (pick(3) == 0 ? ".o" : ""); }

  void add(bool upper) {
    fs::path path = root_;
    for (unsigned depth = pick(3); depth > 0; --depth) path /= name();
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return;
    const fs::path entry = path / name();
    if (fs::exists(fs::symlink_status(entry))) return;
    const unsigned kind = pick(12);
    if (kind == 0) {
      fs::create_symlink("a", entry);
      set_time(entry);
    } else if (kind == 1) {
      ::mkfifo(entry.c_str(), 0600);
    } else if (kind == 2) {
      fs::create_directory(entry);
    } else if (kind == 3 && upper) {
      whiteout(entry);
    } else if (kind == 4 && upper) {
      fs::create_directory(entry);
      mark_opaque(entry);
    } else {
      write_file_atomic(entry, std::to_string(pick(1000)), pick(2) == 0 ? 0644 : 0755, false);
      set_time(entry);
    }
  }

  fs::path root_;
  std::mt19937 random_;
};

// The plain way - every selected entry by itself - is the model of the fast one.
TEST(TakeModel, TakesWhatIsSelectedEntryByEntry) {
  const Strings patterns = {"a",    "b",   "a/**",  "a/*", "**/*.o", "*",
                            "**/*", "b/a", "a/b/*", ".",   "a/**/*", "{a,b}/c"};
  const Strings excludes = {"", "", "a", "a/b", "a/**", "**/*.o", "b/*.o", "b/**", "zzz/**"};
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const TempDir dir("model-");
    const fs::path upper = dir.path() / "upper";
    const fs::path lower = dir.path() / "lower";
    make_directories(upper);
    make_directories(lower);
    RandomTree(upper, seed * 2).fill(true);
    RandomTree(lower, seed * 2 + 1).fill(false);
    TakeRequest wanted;
    wanted.layers = {upper, lower};
    wanted.root = "/p";
    for (unsigned i = 0; i <= random() % 3; ++i) wanted.paths.push_back(patterns[random() % patterns.size()]);
    const std::string& exclude = excludes[random() % excludes.size()];
    if (!exclude.empty()) wanted.exclude.push_back(exclude);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", exclude '" + exclude + "', paths " +
                 testing::PrintToString(wanted.paths));
    const Selection selection = select_paths(LayeredTree(wanted.layers), wanted.paths, wanted.exclude, "/p");
    const LayerStats expected = make_layer(selection, upper, dir.path() / "plain");
    for (const bool may_move : {false, true}) {
      const fs::path tree = dir.path() / (may_move ? "moved" : "linked");
      make_directories(tree);
      wanted.may_move = may_move;
      Taken taken = take_layer(wanted, tree);
      ASSERT_EQ(snapshot(tree), snapshot(dir.path() / "plain"));
      EXPECT_EQ(taken.stats.files, expected.files);
      EXPECT_EQ(taken.stats.directories, expected.directories);
      EXPECT_EQ(taken.stats.bytes, expected.bytes);
      EXPECT_THAT(taken.stats.skipped, testing::UnorderedElementsAreArray(expected.skipped));
      EXPECT_THAT(taken.without_match, testing::UnorderedElementsAreArray(selection.without_match));
    }
  }
}

}  // namespace
}  // namespace runner::artifacts
