#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <random>

#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using testing::first_difference;
using testing::put;
using testing::Snapshot;
using testing::snapshot_of;
using testing::Times;

void hide(const fs::path& path) {
  make_directories(path.parent_path());
  ASSERT_EQ(::mknod(path.c_str(), S_IFCHR, makedev(0, 0)), 0);
}

void make_opaque(const fs::path& path) {
  make_directories(path);
  ASSERT_EQ(::setxattr(path.c_str(), "user.overlay.opaque", "y", 1, 0), 0);
}

bool is_opaque(const fs::path& path) {
  char value = 0;
  return ::getxattr(path.c_str(), "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

bool is_whiteout(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

struct Squash : ::testing::Test {
  fs::path at(const std::string& name) const { return top.path() / name; }
  TempDir top;
};

TEST_F(Squash, LowestLayersHideNothing) {
  put(at("low/d/gone"), "");
  put(at("low/d/kept"), "");
  hide(at("high/d/gone"));
  hide(at("high/never"));
  put(at("low/o/below"), "");
  make_opaque(at("high/o"));
  squash_layers(std::vector{at("high"), at("low")}, at("one"));
  EXPECT_EQ(first_difference(snapshot_of(at("one")),
                             {{"d", "directory 493"}, {"d/kept", "file 420 "}, {"o", "directory 493"}}),
            "");
  EXPECT_FALSE(is_opaque(at("one/o")));
}

TEST_F(Squash, OfUpperLayersHidesWhatIsBelowAndNothingElse) {
  put(at("below/d/gone"), "");
  put(at("below/o/old"), "");
  put(at("below/again/old"), "");
  put(at("below/file/in"), "");
  hide(at("high/d/gone"));
  hide(at("high/d/nothing"));
  make_opaque(at("high/o"));
  hide(at("high/o/useless"));
  make_opaque(at("high/alone"));
  put(at("high/again/new"), "");
  put(at("middle/again"), "a file between two directories hides the lower one");
  put(at("middle/file"), "");
  squash_layers(std::vector{at("high"), at("middle")}, at("one"), std::vector{at("below")});
  EXPECT_TRUE(is_whiteout(at("one/d/gone")));
  EXPECT_FALSE(is_whiteout(at("one/d/nothing")));
  EXPECT_TRUE(is_opaque(at("one/o")));
  EXPECT_TRUE(fs::is_empty(at("one/o")));
  EXPECT_FALSE(is_opaque(at("one/alone")));
  EXPECT_TRUE(is_opaque(at("one/again")));
  EXPECT_TRUE(fs::is_regular_file(at("one/file")));
}

TEST_F(Squash, LinksFilesAndKeepsModesAndTimes) {
  put(at("low/d/file"), "content");
  put(at("low/twin"), "");
  fs::create_symlink("nowhere", at("low/d/link"));
  ASSERT_EQ(::mkfifo(at("low/fifo").c_str(), 0640), 0);
  put(at("high/e/file"), "");
  ASSERT_EQ(::chmod(at("low/d").c_str(), 0555), 0);
  ASSERT_EQ(::chmod(at("high").c_str(), 0711), 0);
  const Snapshot expected = snapshot_of(LayeredTree({at("high"), at("low")}), Times::compared);
  squash_layers(std::vector{at("high"), at("low")}, at("one"));
  EXPECT_EQ(first_difference(snapshot_of(at("one"), Times::compared), expected), "");
  struct stat one {
  }, original{}, root{};
  ASSERT_EQ(::stat(at("one/d/file").c_str(), &one), 0);
  ASSERT_EQ(::stat(at("low/d/file").c_str(), &original), 0);
  ASSERT_EQ(::stat(at("one").c_str(), &root), 0);
  EXPECT_EQ(one.st_ino, original.st_ino);
  EXPECT_EQ(root.st_mode & 07777U, 0711U);
}

TEST_F(Squash, FillsAnEmptyDirectoryThatIsThere) {
  put(at("low/file"), "");
  make_directories(at("one"));
  squash_layers(std::vector{at("low")}, at("one"));
  EXPECT_TRUE(fs::exists(at("one/file")));
  EXPECT_THROW(squash_layers(std::vector{at("low")}, at("one")), Error);
  EXPECT_THROW(squash_layers(std::vector{at("missing")}, at("two")), Error);
  EXPECT_THROW(squash_layers({}, at("three")), Error);
}

TEST_F(Squash, StopsWhenAsked) {
  for (int i = 0; i < 10; ++i) put(at("low") / std::to_string(i), "");
  int asked = 0;
  try {
    squash_layers(std::vector{at("low")}, at("one"), {}, [&] { return ++asked == 5; });
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(at("one")), fs::directory_iterator()), 4);
}

/// A layer of random files, directories, links, whiteouts and opaque directories.
void fill_randomly(std::mt19937& random, const fs::path& directory, int depth) {
  make_directories(directory);
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    const fs::path path = directory / name;
    const auto kind = random() % 10;
    if (kind < 2) {
      put(path, std::to_string(random()));
    } else if (kind < 3) {
      hide(path);
    } else if (kind < 4) {
      fs::create_symlink(std::to_string(random()), path);
    } else if (kind < 7 && depth > 0) {
      if (random() % 5 == 0) make_opaque(path);
      fill_randomly(random, path, depth - 1);
    }
  }
}

/// The paths of whiteouts and opaque directories that `layers` need not have: without them the same is seen.
std::string needless_mark(const fs::path& layer, const LayeredTree& below) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(layer)) {
    const std::string path = entry.path().lexically_relative(layer).string();
    if ((is_whiteout(entry.path()) || is_opaque(entry.path())) && !below.find(path)) return path;
  }
  return {};
}

TEST_F(Squash, AnyLayersOfAnyStackLookTheSame) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::mt19937 random(seed);
    const TempDir place;
    std::vector<fs::path> stack;
    for (int layer = 0; layer < 5; ++layer) {
      stack.push_back(place.path() / std::to_string(layer));
      fill_randomly(random, stack.back(), 3);
    }
    const Snapshot expected = snapshot_of(LayeredTree(stack), Times::compared);
    for (std::size_t first = 0; first < stack.size(); ++first) {
      for (std::size_t end = first + 1; end <= stack.size(); ++end) {
        const auto name = [&](const char* what) {
          return std::to_string(seed) + " " + what + " " + std::to_string(first) + ".." + std::to_string(end);
        };
        const std::span<const fs::path> all(stack);
        const fs::path one = place.path() / name("one");
        squash_layers(all.subspan(first, end - first), one, all.subspan(end));
        std::vector<fs::path> shorter(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(first));
        shorter.push_back(one);
        const std::vector<fs::path> below(stack.begin() + static_cast<std::ptrdiff_t>(end), stack.end());
        shorter.insert(shorter.end(), below.begin(), below.end());
        ASSERT_EQ(first_difference(snapshot_of(LayeredTree(shorter), Times::compared), expected), "")
            << name("stack");
        ASSERT_EQ(needless_mark(one, LayeredTree(below)), "") << name("marks");
      }
    }
  }
}

}  // namespace
}  // namespace runner::cache
