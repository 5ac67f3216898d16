#include "runner/base/layered_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

/// Builds layers on disk: layer(0) is the top.
class Layers {
 public:
  fs::path layer(int index) const {
    fs::path path = dir_.path() / std::to_string(index);
    make_directories(path);
    return path;
  }
  void file(int index, const std::string& path) const {
    make_directories((layer(index) / path).parent_path());
    write_file_atomic(layer(index) / path, std::to_string(index), 0644, false);
  }
  void directory(int index, const std::string& path) const { make_directories(layer(index) / path); }
  void link(int index, const std::string& path, const std::string& target) const {
    make_directories((layer(index) / path).parent_path());
    fs::create_symlink(target, layer(index) / path);
  }
  void whiteout(int index, const std::string& path) const {
    make_directories((layer(index) / path).parent_path());
    ASSERT_EQ(::mknod((layer(index) / path).c_str(), S_IFCHR, 0), 0) << "needs a kernel from 5.8 on";
  }
  void opaque(int index, const std::string& path) const {
    directory(index, path);
    ASSERT_EQ(::setxattr((layer(index) / path).c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  }
  LayeredTree tree(int count) const {
    std::vector<fs::path> layers;
    for (int i = 0; i < count; ++i) layers.push_back(layer(i));
    return LayeredTree(layers);
  }

 private:
  // Not /tmp: user attributes need a real file system on older kernels.
  TempDir dir_{"layered-"};
};

/// "d:dir@0" for a directory whose topmost layer is 0.
std::string show(const TreeEntry& entry) {
  constexpr std::string_view kLetters = "fdlo";
  return std::string(1, kLetters[static_cast<std::size_t>(entry.type)]) + ":" + entry.path + "@" +
         std::to_string(entry.layer);
}

std::vector<std::string> show(const std::vector<TreeEntry>& entries) {
  std::vector<std::string> shown;
  for (const auto& entry : entries) shown.push_back(show(entry));
  return shown;
}

std::vector<std::string> walk_all(const LayeredTree& tree) {
  std::vector<std::string> shown;
  tree.walk(
      "", [&](const TreeEntry& entry) { shown.push_back(show(entry)); },
      [](const TreeEntry&) { return true; });
  return shown;
}

using Strings = std::vector<std::string>;

TEST(LayeredTree, MergesDirectoriesAndTheTopWins) {
  const Layers on_disk;
  on_disk.file(0, "dir/both");
  on_disk.file(0, "top");
  on_disk.file(1, "dir/both");
  on_disk.file(1, "dir/low");
  on_disk.file(2, "dir/deep/x");
  on_disk.file(2, "last");
  const LayeredTree tree = on_disk.tree(3);
  EXPECT_EQ(walk_all(tree), (Strings{"d:dir@0", "f:dir/both@0", "d:dir/deep@2", "f:dir/deep/x@2",
                                     "f:dir/low@1", "f:last@2", "f:top@0"}));
  EXPECT_EQ(tree.find("dir/both")->real, (on_disk.layer(0) / "dir/both").string());
  EXPECT_EQ(tree.find("dir/low")->real, (on_disk.layer(1) / "dir/low").string());
  EXPECT_EQ(show(tree.list("dir")), (Strings{"f:dir/both@0", "d:dir/deep@2", "f:dir/low@1"}));
}

TEST(LayeredTree, WhiteoutsHideWhatLiesBelow) {
  const Layers on_disk;
  on_disk.whiteout(0, "gone");
  on_disk.whiteout(0, "dir");
  on_disk.whiteout(0, "kept/x");
  on_disk.file(1, "gone");
  on_disk.file(1, "dir/a");
  on_disk.file(1, "kept/x");
  on_disk.file(1, "kept/y");
  on_disk.file(2, "kept/x");
  const LayeredTree tree = on_disk.tree(3);
  EXPECT_EQ(walk_all(tree), (Strings{"d:kept@0", "f:kept/y@1"}));
  for (const auto* path : {"gone", "dir", "dir/a", "kept/x"}) EXPECT_FALSE(tree.find(path)) << path;
  EXPECT_TRUE(tree.list("dir").empty());
}

TEST(LayeredTree, WhiteoutInTheMiddleHidesOnlyWhatIsUnderIt) {
  const Layers on_disk;
  on_disk.file(0, "dir/top");
  on_disk.whiteout(1, "dir");
  on_disk.file(2, "dir/low");
  const LayeredTree tree = on_disk.tree(3);
  EXPECT_EQ(walk_all(tree), (Strings{"d:dir@0", "f:dir/top@0"}));
  EXPECT_FALSE(tree.find("dir/low"));
}

TEST(LayeredTree, OpaqueDirectoryHidesTheContentBelow) {
  const Layers on_disk;
  on_disk.opaque(0, "dir");
  on_disk.file(0, "dir/new");
  on_disk.file(1, "dir/old");
  on_disk.file(1, "dir/sub/old");
  const LayeredTree tree = on_disk.tree(2);
  EXPECT_EQ(walk_all(tree), (Strings{"d:dir@0", "f:dir/new@0"}));
  EXPECT_FALSE(tree.find("dir/old"));
  EXPECT_FALSE(tree.find("dir/sub/old"));
}

TEST(LayeredTree, OpaqueDirectoryInTheMiddleStillShowsItsOwnContent) {
  const Layers on_disk;
  on_disk.file(0, "dir/a");
  on_disk.opaque(1, "dir");
  on_disk.file(1, "dir/b");
  on_disk.file(2, "dir/c");
  const LayeredTree tree = on_disk.tree(3);
  EXPECT_EQ(walk_all(tree), (Strings{"d:dir@0", "f:dir/a@0", "f:dir/b@1"}));
  EXPECT_TRUE(tree.find("dir/b"));
  EXPECT_FALSE(tree.find("dir/c"));
}

TEST(LayeredTree, FilesAndDirectoriesHideEachOther) {
  const Layers on_disk;
  on_disk.file(0, "file_over_dir");
  on_disk.file(1, "file_over_dir/x");
  on_disk.file(0, "dir_over_file/x");
  on_disk.file(1, "dir_over_file");
  on_disk.link(0, "link_over_dir", "elsewhere");
  on_disk.file(1, "link_over_dir/x");
  // A file in the middle separates the directory on top from the one below.
  on_disk.file(0, "mixed/a");
  on_disk.file(1, "mixed");
  on_disk.file(2, "mixed/b");
  const LayeredTree tree = on_disk.tree(3);
  EXPECT_EQ(walk_all(tree), (Strings{"d:dir_over_file@0", "f:dir_over_file/x@0", "f:file_over_dir@0",
                                     "l:link_over_dir@0", "d:mixed@0", "f:mixed/a@0"}));
  EXPECT_FALSE(tree.find("file_over_dir/x"));
  EXPECT_FALSE(tree.find("link_over_dir/x"));
  EXPECT_FALSE(tree.find("mixed/b"));
}

TEST(LayeredTree, NeverFollowsLinks) {
  const TempDir outside;
  write_file_atomic(outside.path() / "secret", "s", 0644, false);
  const Layers on_disk;
  on_disk.link(0, "out", outside.path().string());
  on_disk.link(0, "loop", "loop");
  on_disk.file(1, "out/inner");
  const LayeredTree tree = on_disk.tree(2);
  EXPECT_EQ(walk_all(tree), (Strings{"l:loop@0", "l:out@0"}));
  EXPECT_FALSE(tree.find("out/secret"));
  EXPECT_FALSE(tree.find("out/inner"));
  EXPECT_TRUE(tree.list("out").empty());
  EXPECT_EQ(tree.find("out")->type, EntryType::symlink);
  int visited = 0;
  tree.walk(
      "out", [&](const TreeEntry&) { ++visited; }, [](const TreeEntry&) { return true; });
  EXPECT_EQ(visited, 0);
}

TEST(LayeredTree, ReadsPathsInEveryShape) {
  const Layers on_disk;
  on_disk.file(0, "a/b");
  const LayeredTree tree = on_disk.tree(1);
  EXPECT_EQ(tree.find("")->type, EntryType::directory);
  EXPECT_EQ(tree.find("")->real, on_disk.layer(0).string());
  EXPECT_EQ(tree.find("./a//b")->path, "a/b");
  EXPECT_EQ(tree.find("a/x/../b")->path, "a/b");
  for (const std::string& path : Strings{"..", "a/../../x", "/a", "a/b/c", "a/c", std::string(300, 'x')}) {
    EXPECT_FALSE(tree.find(path)) << path;
  }
  EXPECT_FALSE(tree.find(std::string_view("a\0", 2)));
}

TEST(LayeredTree, OtherThingsAreOther) {
  const Layers on_disk;
  ASSERT_EQ(::mkfifo((on_disk.layer(0) / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(walk_all(on_disk.tree(1)), (Strings{"o:pipe@0"}));
}

TEST(LayeredTree, MissingLayerIsAnError) {
  const TempDir dir;
  EXPECT_THROW(LayeredTree({dir.path() / "none"}).find("x"), Error);
}

TEST(LayeredTree, WalkEntersOnlyWhereItIsTold) {
  const Layers on_disk;
  on_disk.file(0, "a/x");
  on_disk.file(0, "b/y");
  Strings shown;
  on_disk.tree(1).walk(
      "", [&](const TreeEntry& entry) { shown.push_back(show(entry)); },
      [](const TreeEntry& entry) { return entry.path == "b"; });
  EXPECT_EQ(shown, (Strings{"d:a@0", "d:b@0", "f:b/y@0"}));
}

TEST(LayeredTree, DeepNestingNeitherOverflowsNorRunsOutOfDescriptors) {
  constexpr int kDepth = 5000;
  const Layers on_disk;
  const fs::path before = fs::current_path();
  UniqueFd current(::open(on_disk.layer(0).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(::mkdirat(current.get(), "d", 0755), 0);
    current.reset(::openat(current.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(current);
  }
  current.reset();
  std::size_t visited = 0;
  const LayeredTree tree = on_disk.tree(1);
  tree.walk(
      "", [&](const TreeEntry&) { ++visited; }, [](const TreeEntry&) { return true; });
  EXPECT_EQ(visited, kDepth);
  const Strings everything = {"**/d"};
  EXPECT_EQ(select_paths(tree, everything, {}, "/").entries.size(), kDepth);
}

class Select : public testing::Test {
 protected:
  Select() {
    for (const auto* path : {"build/a.o", "build/b.c", "build/sub/c.o", "build/.hidden", "src/a.c",
                             "src/[x].c", "top.txt", "d/f", "d/g/h"}) {
      on_disk_.file(1, path);
    }
    on_disk_.directory(0, "build/empty");
    on_disk_.link(0, "linked", "src");
    on_disk_.file(0, "build/new.o");
    on_disk_.whiteout(0, "build/b.c");
  }

  Selection select(const Strings& paths, const Strings& exclude = {}) const {
    return select_paths(on_disk_.tree(2), paths, exclude, "/builds/project");
  }
  Strings entries(const Strings& paths, const Strings& exclude = {}) const {
    Strings found;
    for (const auto& entry : select(paths, exclude).entries) found.push_back(entry.path);
    return found;
  }

  const Strings whole_build_ = {"build",       "build/.hidden", "build/a.o",    "build/empty",
                                "build/new.o", "build/sub",     "build/sub/c.o"};
  Layers on_disk_;
};

TEST_F(Select, DirectoryIsTakenWhole) {
  for (const auto* pattern :
       {"build", "build/", "./build", "build/.", "src/../build", "/builds/project/build",
        "/builds/project//build/", "build/**", "buil[d]", "b*"}) {
    EXPECT_EQ(entries({pattern}), whole_build_) << pattern;
  }
}

TEST_F(Select, PatternsSelect) {
  const std::vector<std::pair<Strings, Strings>> cases = {
      {{"top.txt"}, {"top.txt"}},
      {{"*.txt"}, {"top.txt"}},
      {{"build/*.o"}, {"build/a.o", "build/new.o"}},
      {{"**/*.o"}, {"build/a.o", "build/new.o", "build/sub/c.o"}},
      {{"build/**/*.o"}, {"build/a.o", "build/new.o", "build/sub/c.o"}},
      {{"{src,build}/a.*"}, {"build/a.o", "src/a.c"}},
      {{"src/a.c", "src/*.c", "src/a.c"}, {"src/[x].c", "src/a.c"}},
      {{"build/sub", "build/*/c.o"}, {"build/sub", "build/sub/c.o"}},
      {{"linked"}, {"linked"}},
      {{"linked/a.c", "linked/*", "*/a.c"}, {"src/a.c"}},
      {{"src/\\[x\\].c"}, {"src/[x].c"}},
      {{"build/empty"}, {"build/empty"}},
      {{"build/empty/**"}, {"build/empty"}},
  };
  for (const auto& [patterns, found] : cases) EXPECT_EQ(entries(patterns), found) << patterns[0];
}

TEST_F(Select, MatchesAloneAreWithoutWhatIsInThem) {
  const std::vector<std::pair<Strings, Strings>> cases = {
      {{"build"}, {"build"}},
      {{"build/*"}, {"build/.hidden", "build/a.o", "build/empty", "build/new.o", "build/sub"}},
      {{"/builds/project/build/*.o"}, {"build/a.o", "build/new.o"}},
      {{"**/c.o", "b*"}, {"build", "build/sub/c.o"}},
      {{"d/**"}, {"d", "d/f", "d/g", "d/g/h"}},
      {{"build/b.c", "../x"}, {}},
  };
  for (const auto& [patterns, expected] : cases) {
    const Selection selection = match_paths(on_disk_.tree(2), patterns, "/builds/project");
    Strings found;
    for (const auto& entry : selection.entries) found.push_back(entry.path);
    EXPECT_EQ(found, expected) << patterns[0];
  }
  const Selection none = match_paths(on_disk_.tree(2), Strings{"build/b.c", "../x"}, "/builds/project");
  EXPECT_EQ(none.without_match, Strings{"build/b.c"});
  EXPECT_EQ(none.outside, Strings{"../x"});
}

TEST_F(Select, TheRootTakesAll) {
  const Strings all = entries({"."});
  EXPECT_EQ(all.size(), 16U);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  for (const auto* pattern : {"./", "/builds/project", "/builds/project/", "**", "*", "**/*", "build/.."}) {
    EXPECT_EQ(entries({pattern}), all) << pattern;
  }
}

TEST_F(Select, ReportsPatternsWithoutMatch) {
  const Selection selection = select({"none", "no*e", "build/b.c", "top.txt", "", "build/a.o/x", "**/*.zip"});
  EXPECT_EQ(selection.entries.size(), 1U);
  EXPECT_EQ(selection.without_match, (Strings{"none", "build/b.c", "", "build/a.o/x", "no*e", "**/*.zip"}));
  EXPECT_TRUE(selection.outside.empty());
}

TEST_F(Select, PatternCoveredByAnotherHasMatched) {
  const Selection selection = select({"build", "b*", "build/sub/*.o", "build/**", "**/c.o"});
  EXPECT_TRUE(selection.without_match.empty());
  EXPECT_EQ(selection.entries.size(), whole_build_.size());
}

TEST_F(Select, ReportsPatternsThatLeaveTheTree) {
  const Strings outside = {
      "../x", "/etc/passwd", "build/../../x", "/builds/project2/x", "/builds/project/../x", "/"};
  const Selection selection = select(outside);
  EXPECT_TRUE(selection.entries.empty());
  EXPECT_EQ(selection.outside, outside);
  EXPECT_TRUE(selection.without_match.empty());
}

TEST_F(Select, ExcludesAreTestedOnEachPathAlone) {
  EXPECT_EQ(entries({"d"}, {"d"}), (Strings{"d/f", "d/g", "d/g/h"}));
  EXPECT_EQ(entries({"d"}, {"d/g"}), (Strings{"d", "d/f", "d/g/h"}));
  EXPECT_EQ(entries({"d"}, {"d/g/**"}), (Strings{"d", "d/f"}));
  EXPECT_EQ(entries({"d/*"}, {"d/**"}), (Strings{}));
  EXPECT_EQ(entries({"build"}, {"build/*.o"}),
            (Strings{"build", "build/.hidden", "build/empty", "build/sub", "build/sub/c.o"}));
  EXPECT_EQ(entries({"d"}, {"/builds/project/d/f", "../x", ""}), (Strings{"d", "d/g", "d/g/h"}));
  EXPECT_TRUE(select({"top.txt"}, {"*"}).without_match.empty());
}

}  // namespace
}  // namespace runner
