#include "cache/caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using Result = SavedCache::Result;
using testing::first_difference;
using testing::put;
using testing::Snapshot;
using testing::snapshot_of;
using testing::Times;

void whiteout(const fs::path& path) {
  make_directories(path.parent_path());
  ASSERT_EQ(::mknod(path.c_str(), S_IFCHR, makedev(0, 0)), 0);
}

void make_opaque(const fs::path& path) {
  make_directories(path);
  ASSERT_EQ(::setxattr(path.c_str(), "user.overlay.opaque", "y", 1, 0), 0);
}

std::vector<fs::path> trees_of(const HeldEntry& entry) {
  std::vector<fs::path> trees;
  for (const Layer& layer : entry->layers) trees.push_back(layer.tree);
  return trees;
}

struct CachesTest : ::testing::Test {
  fs::path at(const std::string& name) const { return top.path() / name; }

  HeldEntry find(const std::string& key) { return caches.find("project", std::vector{key}, {}).hit; }
  Snapshot seen(const HeldEntry& entry, Times times = Times::ignored) {
    return entry ? snapshot_of(LayeredTree(trees_of(entry)), times) : Snapshot{};
  }
  /// Saves `upper` over the layers of `hit` and `foreign` ones below them.
  SavedCache save(const std::string& key, const fs::path& upper, std::vector<std::string> paths,
                  const HeldEntry& hit = nullptr, std::vector<fs::path> foreign = {}, bool may_move = true) {
    make_directories(upper);
    CacheSource source{upper, {}, may_move};
    if (hit) source.lowers = trees_of(hit);
    source.lowers.insert(source.lowers.end(), foreign.begin(), foreign.end());
    if (source.lowers.empty()) source.lowers.push_back(empty());
    CacheContent content;
    content.paths = std::move(paths);
    content.root = "/nowhere";
    EntryFacts facts;
    for (const std::string& path : content.paths) facts.contents += path + "\n";
    return caches.save("project", key, facts, source, content, hit);
  }
  fs::path empty() const {
    make_directories(at("empty checkout"));
    return at("empty checkout");
  }
  std::size_t drafts() const {
    if (!fs::exists(at("layers/drafts"))) return 0;
    const fs::directory_iterator all(at("layers/drafts"));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  TempDir top;
  SystemClock clock;
  std::unique_ptr<LayerStore> store = LayerStore::open(at("layers"), clock);
  Caches caches{*store};
};

TEST_F(CachesTest, WhatIsSavedIsFoundAsItWas) {
  put(at("upper/dir/file"), "12345");
  put(at("upper/dir/sub/other"), "1");
  put(at("upper/not-selected"), "x");
  fs::create_symlink("file", at("upper/dir/link"));
  make_directories(at("upper/dir/empty"));
  ASSERT_EQ(::mkfifo(at("upper/dir/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(at("upper/dir/sub").c_str(), 0511), 0);
  const Snapshot expected = testing::below(snapshot_of(at("upper"), Times::compared), "dir");
  const SavedCache saved = save("key", at("upper"), {"dir"});
  EXPECT_EQ(saved.result, Result::saved);
  EXPECT_EQ(saved.files, 4U);
  EXPECT_EQ(saved.bytes, 6U);
  EXPECT_EQ(saved.changed, 4U);
  const auto hit = find("key");
  ASSERT_NE(hit, nullptr);
  EXPECT_EQ(hit->files, 4U);
  EXPECT_EQ(hit->bytes, 6U);
  EXPECT_EQ(hit->layers.size(), 1U);
  EXPECT_EQ(first_difference(seen(hit, Times::compared), expected), "");
  EXPECT_FALSE(fs::exists(at("upper/dir")));
  EXPECT_TRUE(fs::exists(at("upper/not-selected")));
}

TEST_F(CachesTest, FilesThatOthersWantAreLinked) {
  put(at("upper/dir/file"), "12345");
  const Snapshot expected = snapshot_of(at("upper"), Times::compared);
  EXPECT_EQ(save("key", at("upper"), {"dir"}, nullptr, {}, false).result, Result::saved);
  EXPECT_EQ(first_difference(seen(find("key"), Times::compared), expected), "");
  EXPECT_TRUE(fs::equivalent(find("key")->layers[0].tree / "dir/file", at("upper/dir/file")));
}

TEST_F(CachesTest, FilesOfForeignLayersAreCopiedAndThoseOfTheStoreLinked) {
  put(at("upper/dir/own"), "own");
  put(at("checkout/dir/theirs"), "theirs");
  put(at("checkout/dir/sub/deep"), "deep");
  put(at("checkout/dir/hidden"), "hidden");
  whiteout(at("upper/dir/hidden"));
  ASSERT_EQ(::chmod(at("checkout/dir/sub").c_str(), 0555), 0);
  const Snapshot expected =
      testing::below(snapshot_of(LayeredTree({at("upper"), at("checkout")}), Times::compared), "dir");
  EXPECT_EQ(save("key", at("upper"), {"dir"}, nullptr, {at("checkout")}).files, 3U);
  const auto hit = find("key");
  EXPECT_EQ(first_difference(seen(hit, Times::compared), expected), "");
  EXPECT_FALSE(fs::equivalent(hit->layers[0].tree / "dir/theirs", at("checkout/dir/theirs")));
  // As a layer of the store the same files are linked.
  EXPECT_EQ(save("other", at("second"), {"dir/sub"}, nullptr, trees_of(hit)).files, 1U);
  EXPECT_TRUE(
      fs::equivalent(find("other")->layers[0].tree / "dir/sub/deep", hit->layers[0].tree / "dir/sub/deep"));
}

TEST_F(CachesTest, NothingSelectedSavesNothing) {
  make_directories(at("upper"));
  const SavedCache saved = save("key", at("upper"), {"missing", "*.x", "../out", "/etc"});
  EXPECT_EQ(saved.result, Result::nothing_matched);
  EXPECT_THAT(saved.without_match, ::testing::UnorderedElementsAre("missing", "*.x"));
  EXPECT_THAT(saved.outside, ::testing::ElementsAre("../out", "/etc"));
  EXPECT_EQ(find("key"), nullptr);
  EXPECT_EQ(drafts(), 0U);
}

// --- deltas ------------------------------------------------------------------------------------------------

struct SecondRun {
  const char* name;
  void (*job)(const fs::path& upper);
  Result expected;
  std::size_t layers;
};

const SecondRun kSecondRuns[] = {
    {"nothing", [](const fs::path&) {}, Result::up_to_date, 1},
    {"elsewhere", [](const fs::path& upper) { put(upper / "other/x", ""); }, Result::up_to_date, 1},
    {"only copied up", [](const fs::path& upper) { make_directories(upper / "dir/sub"); }, Result::up_to_date,
     1},
    {"a whiteout of nothing", [](const fs::path& upper) { whiteout(upper / "dir/never"); },
     Result::up_to_date, 1},
    {"new file", [](const fs::path& upper) { put(upper / "dir/new", ""); }, Result::saved, 2},
    {"other content", [](const fs::path& upper) { put(upper / "dir/a", "A"); }, Result::saved, 2},
    {"new directory", [](const fs::path& upper) { make_directories(upper / "dir/made"); }, Result::saved, 2},
    {"deleted file", [](const fs::path& upper) { whiteout(upper / "dir/a"); }, Result::saved, 2},
    {"deleted directory", [](const fs::path& upper) { whiteout(upper / "dir/sub"); }, Result::saved, 2},
    {"recreated directory",
     [](const fs::path& upper) {
       make_opaque(upper / "dir/sub");
       put(upper / "dir/sub/other", "x");
     },
     Result::saved, 2},
    {"all recreated",
     [](const fs::path& upper) {
       make_opaque(upper / "dir");
       put(upper / "dir/fresh", "x");
     },
     Result::saved, 1},
    {"all deleted", [](const fs::path& upper) { whiteout(upper / "dir"); }, Result::nothing_matched, 1},
    {"directory by file", [](const fs::path& upper) { put(upper / "dir/sub", "now a file"); }, Result::saved,
     2},
    {"file by directory", [](const fs::path& upper) { put(upper / "dir/a/inner", "x"); }, Result::saved, 2},
    {"mode of a directory",
     [](const fs::path& upper) {
       make_directories(upper / "dir/sub");
       ASSERT_EQ(::chmod((upper / "dir/sub").c_str(), 0700), 0);
     },
     Result::saved, 2},
};

TEST_F(CachesTest, ASecondRunSavesOnlyWhatChanged) {
  for (const bool may_move : {true, false}) {
    for (const SecondRun& run : kSecondRuns) {
      put(at("first/dir/a"), "a");
      put(at("first/dir/sub/b"), "bb");
      put(at("first/dir/sub/c"), "ccc");
      ASSERT_EQ(save("key", at("first"), {"dir"}).result, Result::saved);
      const auto hit = find("key");
      const fs::path upper = at(std::string("upper ") + run.name + (may_move ? "" : " linked"));
      make_directories(upper);
      run.job(upper);
      std::vector<fs::path> all = trees_of(hit);
      all.insert(all.begin(), upper);
      Snapshot expected = testing::below(snapshot_of(LayeredTree(all), Times::compared), "dir");
      if (run.expected != Result::saved) expected = seen(hit, Times::compared);
      const SavedCache saved = save("key", upper, {"dir"}, hit, {}, may_move);
      EXPECT_EQ(saved.result, run.expected) << run.name;
      const auto now = find("key");
      EXPECT_EQ(first_difference(seen(now, Times::compared), expected), "") << run.name;
      EXPECT_EQ(now->layers.size(), run.layers) << run.name;
      std::uint64_t files = 0, bytes = 0;
      const LayeredTree tree(trees_of(now));
      for (const auto& [path, what] : seen(now)) {
        if (!what.starts_with("file")) continue;
        ++files;
        bytes += fs::file_size(tree.find(path)->real);
      }
      EXPECT_EQ(now->files, files) << run.name;
      EXPECT_EQ(now->bytes, bytes) << run.name;
      if (run.expected == Result::up_to_date) {
        EXPECT_EQ(now->layers[0].id, hit->layers[0].id);
      }
      EXPECT_EQ(drafts(), 0U);
      fs::remove_all(at("first"));
    }
  }
  EXPECT_TRUE(store->verify(true).problems.empty());
}

TEST_F(CachesTest, MarksAreKeptOnlyWhereTheyHideSomethingOfTheCache) {
  put(at("first/dir/a"), "a");
  put(at("first/dir/sub/b"), "b");
  put(at("checkout/dir/tracked/t"), "t");
  save("key", at("first"), {"dir"});
  const auto hit = find("key");
  const fs::path upper = at("upper");
  whiteout(upper / "dir/a");
  whiteout(upper / "dir/never");
  make_opaque(upper / "dir/made");
  put(upper / "dir/made/x", "x");
  make_opaque(upper / "dir/sub");
  put(upper / "dir/sub/new", "new");
  ASSERT_EQ(::setxattr((upper / "dir/sub").c_str(), "user.overlay.impure", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((upper / "dir/sub/new").c_str(), "user.overlay.origin", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((upper / "dir/sub/new").c_str(), "user.mine", "y", 1, 0), 0);
  ASSERT_EQ(::chmod((upper / "dir/sub/new").c_str(), 0444), 0);
  ASSERT_EQ(save("key", upper, {"dir"}, hit).result, Result::saved);
  const auto now = find("key");
  ASSERT_EQ(now->layers.size(), 2U);
  EXPECT_THAT(now->layers[0].hides, ::testing::UnorderedElementsAre("dir/a", "dir/sub/"));
  const fs::path tree = now->layers[0].tree;
  EXPECT_LT(::getxattr((tree / "dir/sub").c_str(), "user.overlay.impure", nullptr, 0), 0);
  EXPECT_LT(::getxattr((tree / "dir/sub/new").c_str(), "user.overlay.origin", nullptr, 0), 0);
  EXPECT_EQ(::getxattr((tree / "dir/sub/new").c_str(), "user.mine", nullptr, 0), 1);
  EXPECT_LT(::getxattr((tree / "dir/made").c_str(), "user.overlay.opaque", nullptr, 0), 0);
}

TEST_F(CachesTest, PatternsTakeOnlyWhatTheyMatch) {
  put(at("first/a/x.o"), "1");
  put(at("first/a/x.c"), "1");
  put(at("first/b/deep/y.o"), "2");
  put(at("first/c/only.o"), "3");
  EXPECT_EQ(save("key", at("first"), {"**/*.o"}).files, 3U);
  auto hit = find("key");
  EXPECT_THAT(seen(hit), ::testing::Not(::testing::Contains(::testing::Key("a/x.c"))));
  const fs::path upper = at("upper");
  put(upper / "a/x.c", "changed");
  put(upper / "a/x.o", "changed");
  whiteout(upper / "c/only.o");
  put(upper / "c/left.c", "no object");
  make_opaque(upper / "b/deep");
  put(upper / "b/deep/z.o", "4");
  EXPECT_EQ(save("key", upper, {"**/*.o"}, hit).files, 2U);
  hit = find("key");
  EXPECT_THAT(seen(hit),
              ::testing::ElementsAre(::testing::Key("a"), ::testing::Key("a/x.o"), ::testing::Key("b"),
                                     ::testing::Key("b/deep"), ::testing::Key("b/deep/z.o")));
  EXPECT_TRUE(fs::exists(upper / "a/x.c"));
}

TEST_F(CachesTest, ADirectoryAboveThePathsThatWentTakesThemAlong) {
  put(at("first/a/b/x"), "1");
  put(at("first/kept"), "1");
  save("key", at("first"), {"a/b", "kept"});
  const auto hit = find("key");
  for (const bool file : {false, true}) {
    const fs::path upper = at(file ? "file" : "gone");
    if (file)
      put(upper / "a", "a file where the directory was");
    else
      whiteout(upper / "a");
    EXPECT_EQ(save("key", upper, {"a/b", "kept"}, hit).result, Result::saved);
    EXPECT_THAT(seen(find("key")), ::testing::ElementsAre(::testing::Key("kept")));
    EXPECT_THAT(find("key")->layers[0].hides, ::testing::ElementsAre("a"));
  }
}

TEST_F(CachesTest, SocketsAndDevicesAreLeftOut) {
  put(at("first/dir/a"), "1");
  save("key", at("first"), {"dir"});
  const fs::path upper = at("u");
  make_directories(upper / "dir");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (upper / "dir/a").string();
  ASSERT_LT(name.size(), sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  put(upper / "dir/b", "2");
  save("key", upper, {"dir"}, find("key"));
  EXPECT_THAT(seen(find("key")), ::testing::ElementsAre(::testing::Key("dir"), ::testing::Key("dir/b")));
}

TEST_F(CachesTest, AFallbackHitBecomesTheEntryOfTheKeyWithoutWriting) {
  put(at("first/dir/a"), "a");
  save("fallback", at("first"), {"dir"});
  const auto hit = find("fallback");
  EXPECT_EQ(save("key", at("upper"), {"dir"}, hit).result, Result::saved);
  const auto own = find("key");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->layers[0].id, hit->layers[0].id);
  EXPECT_EQ(own->files, 1U);
}

TEST_F(CachesTest, OtherPatternsMakeAWholeEntryByLinks) {
  put(at("first/dir/a"), "a");
  put(at("first/other/b"), "b");
  save("key", at("first"), {"dir", "other"});
  const auto hit = find("key");
  put(at("upper/dir/new"), "new");
  EXPECT_EQ(save("key", at("upper"), {"dir"}, hit).files, 2U);
  const auto now = find("key");
  EXPECT_EQ(now->layers.size(), 1U);
  EXPECT_TRUE(fs::equivalent(now->layers[0].tree / "dir/a", hit->layers[0].tree / "dir/a"));
  EXPECT_THAT(seen(now), ::testing::ElementsAre(::testing::Key("dir"), ::testing::Key("dir/a"),
                                                ::testing::Key("dir/new")));
}

TEST_F(CachesTest, UntrackedTakesWhatGitDoesNotKnow) {
  const auto tracked = [](std::string_view path) { return path.starts_with("src/"); };
  CacheContent content;
  content.untracked = true;
  content.is_tracked = tracked;
  content.root = "/nowhere";
  put(at("checkout/src/main.c"), "c");
  put(at("checkout/left-by-user"), "user");
  put(at("checkout/.git/config"), "git");
  put(at("first/build/x.o"), "1");
  put(at("first/src/main.c"), "changed");
  put(at("first/src2/gen.c"), "generated");
  put(at("first/.git/index"), "git");
  EXPECT_EQ(caches.save("project", "key", {}, {at("first"), {at("checkout")}, true}, content, nullptr).files,
            3U);
  auto hit = find("key");
  EXPECT_THAT(seen(hit), ::testing::ElementsAre(::testing::Key("build"), ::testing::Key("build/x.o"),
                                                ::testing::Key("left-by-user"), ::testing::Key("src2"),
                                                ::testing::Key("src2/gen.c")));
  const auto again = [&](const fs::path& upper) {
    make_directories(upper);
    CacheSource source{upper, trees_of(hit), true};
    source.lowers.push_back(at("checkout"));
    const SavedCache saved = caches.save("project", "key", {}, source, content, hit);
    hit = find("key");
    return saved.result;
  };
  EXPECT_EQ(again(at("second")), Result::up_to_date);
  // By now the generated file is tracked.
  content.is_tracked = [](std::string_view path) { return path.starts_with("src"); };
  put(at("checkout/src2/gen.c"), "tracked");
  EXPECT_EQ(again(at("third")), Result::saved);
  EXPECT_THAT(seen(hit), ::testing::ElementsAre(::testing::Key("build"), ::testing::Key("build/x.o"),
                                                ::testing::Key("left-by-user")));
}

TEST_F(CachesTest, HardLinksStayNamesOfOneFile) {
  put(at("upper/dir/a"), "one");
  fs::create_hard_link(at("upper/dir/a"), at("upper/dir/b"));
  fs::create_hard_link(at("upper/dir/a"), at("upper/outside"));
  save("key", at("upper"), {"dir"});
  const fs::path tree = find("key")->layers[0].tree;
  EXPECT_TRUE(fs::equivalent(tree / "dir/a", tree / "dir/b"));
}

// --- copied workspaces -------------------------------------------------------------------------------------

struct CopiedCachesTest : CachesTest {
  SavedCache save_copy(const fs::path& workspace, const HeldEntry& hit) {
    CacheContent content;
    content.paths = {"dir"};
    EntryFacts facts;
    facts.contents = "dir\n";
    return caches.save("project", "key", facts, {workspace, {}, true}, content, hit);
  }
  std::unique_ptr<Workspace> restore(const HeldEntry& hit, const std::string& name) {
    return Workspaces(MountMode::copy).create({at(name), trees_of(hit), at("seen")});
  }
};

TEST_F(CopiedCachesTest, AreUpToDateByModesAndTimesAndKeepUnchangedFilesOnce) {
  put(at("first/dir/a"), "a");
  put(at("first/dir/b"), "b");
  fs::create_hard_link(at("first/dir/b"), at("first/dir/b2"));
  make_directories(at("first/dir/empty"));
  ASSERT_EQ(save_copy(at("first"), nullptr).result, Result::saved);
  const auto hit = find("key");
  auto workspace = restore(hit, "job");
  EXPECT_EQ(save_copy(workspace->upper(), hit).result, Result::up_to_date);
  put(workspace->upper() / "dir/a", "new");
  const SavedCache saved = save_copy(workspace->upper(), hit);
  EXPECT_EQ(saved.result, Result::saved);
  EXPECT_EQ(saved.changed, 1U);
  const auto now = find("key");
  EXPECT_EQ(read_file(now->layers[0].tree / "dir/a"), "new");
  EXPECT_TRUE(fs::equivalent(now->layers[0].tree / "dir/b", hit->layers[0].tree / "dir/b"));
  EXPECT_TRUE(fs::equivalent(now->layers[0].tree / "dir/b", now->layers[0].tree / "dir/b2"));
  // A removed empty directory is a change too, and so is a further name.
  workspace = restore(now, "job2");
  fs::remove(workspace->upper() / "dir/empty");
  fs::create_hard_link(workspace->upper() / "dir/b", workspace->upper() / "dir/b3");
  EXPECT_EQ(save_copy(workspace->upper(), now).result, Result::saved);
  const fs::path tree = find("key")->layers[0].tree;
  EXPECT_FALSE(fs::exists(tree / "dir/empty"));
  EXPECT_TRUE(fs::equivalent(tree / "dir/b", tree / "dir/b3"));
}

TEST_F(CopiedCachesTest, FilesWithNamesElsewhereAreCopied) {
  put(at("home/secret"), "outside");
  make_directories(at("first/dir"));
  fs::create_hard_link(at("home/secret"), at("first/dir/a"));
  fs::create_hard_link(at("home/secret"), at("first/dir/b"));
  save_copy(at("first"), nullptr);
  const fs::path tree = find("key")->layers[0].tree;
  EXPECT_EQ(read_file(tree / "dir/a"), "outside");
  EXPECT_FALSE(fs::equivalent(tree / "dir/a", at("home/secret")));
  EXPECT_TRUE(fs::equivalent(tree / "dir/a", tree / "dir/b"));
}

// --- restoring ---------------------------------------------------------------------------------------------

TEST_F(CachesTest, AStackThatWouldHideOtherFilesIsMadeFlat) {
  struct Case {
    const char* tracked;
    std::size_t layers;
  };
  const Case cases[] = {{"dir/a", 1}, {"dir/sub/tracked", 1}, {"dir/x", 2}, {"dir/sub", 2}, {"other", 2}};
  for (const Case& one : cases) {
    const fs::path place = at("case of " + fs::path(one.tracked).filename().string());
    put(place / "first/dir/a", "a");
    put(place / "first/dir/sub/b", "b");
    save("key", place / "first", {"dir"});
    whiteout(place / "upper/dir/a");
    make_opaque(place / "upper/dir/sub");
    put(place / "upper/dir/sub/c", "c");
    save("key", place / "upper", {"dir"}, find("key"));
    auto hit = find("key");
    ASSERT_EQ(hit->layers.size(), 2U);
    const Snapshot expected = seen(hit, Times::compared);
    put(place / "under" / one.tracked, "tracked");
    const std::vector<fs::path> under = {place / "under"};
    const auto layers = workspace_layers(*store, hit, under);
    EXPECT_EQ(layers, trees_of(hit));
    EXPECT_EQ(hit->layers.size(), one.layers) << one.tracked;
    EXPECT_EQ(find("key")->layers.size(), one.layers) << "others have the use of it too";
    EXPECT_EQ(first_difference(seen(hit, Times::compared), expected), "");
  }
}

TEST_F(CachesTest, ManyDeltasBecomeFewAndManyChangesOne) {
  for (int i = 0; i < 40; ++i) put(at("first/dir/" + std::to_string(i)), "x");
  save("key", at("first"), {"dir"});
  for (int i = 0; i < 9; ++i) {
    const fs::path upper = at("upper" + std::to_string(i));
    put(upper / "dir" / ("new" + std::to_string(i)), "y");
    if (i == 4) whiteout(upper / "dir/new2");
    if (i == 5) whiteout(upper / "dir/7");
    const auto hit = find("key");
    squash_entry(*store, *hit);
    EXPECT_EQ(find("key")->layers.size(), hit->layers.size());
    save("key", upper, {"dir"}, hit);
  }
  auto hit = find("key");
  ASSERT_EQ(hit->layers.size(), 10U);
  const Snapshot expected = seen(hit, Times::compared);
  squash_entry(*store, *hit);
  auto now = find("key");
  EXPECT_EQ(now->layers.size(), 2U);
  EXPECT_EQ(now->layers[1].id, hit->layers[9].id);
  EXPECT_THAT(now->layers[0].hides, ::testing::ElementsAre("dir/7"));
  EXPECT_EQ(first_difference(seen(now, Times::compared), expected), "");
  for (int i = 0; i < 20; ++i) put(at("many/dir/" + std::to_string(i)), "z");
  save("key", at("many"), {"dir"}, now);
  const Snapshot later = seen(find("key"), Times::compared);
  squash_entry(*store, *find("key"));
  EXPECT_EQ(find("key")->layers.size(), 1U);
  EXPECT_EQ(first_difference(seen(find("key"), Times::compared), later), "");
  EXPECT_EQ(first_difference(seen(hit, Times::compared), expected), "") << "what is held goes on";
}

// --- looking up --------------------------------------------------------------------------------------------

struct MissTest : CachesTest {
  std::pair<Miss, std::string> why(const std::string& key, EntryFacts facts) {
    const FoundCache found = caches.find("project", std::vector{key}, facts);
    EXPECT_EQ(found.hit, nullptr);
    EXPECT_EQ(found.missed.at(0).key, key);
    return {found.missed.at(0).reason, found.missed.at(0).detail};
  }
  void save_with(const std::string& key, const EntryFacts& facts) {
    put(at("upper/f"), "1");
    CacheContent content;
    content.paths = {"f"};
    caches.save("project", key, facts, {at("upper"), {empty()}, true}, content, nullptr);
  }
};

TEST_F(MissTest, TellsWhichInputOfTheKeyChanged) {
  const std::string blob(40, 'a'), other(40, 'b');
  save_with("one", {"npm", {{"CI_COMMIT_REF_SLUG", "main"}, {"package-lock.json", blob}}, "", ""});
  EXPECT_EQ(why("two", {"npm", {{"CI_COMMIT_REF_SLUG", "main"}, {"package-lock.json", other}}, "", ""}),
            std::pair(Miss::key_changed, std::string("package-lock.json changed")));
  EXPECT_EQ(
      why("two", {"npm", {{"CI_COMMIT_REF_SLUG", "topic"}, {"yarn.lock", other}}, "", ""}),
      std::pair(Miss::key_changed,
                std::string("CI_COMMIT_REF_SLUG was 'main', package-lock.json is gone, yarn.lock is new")));
  EXPECT_EQ(why("two", {"pip", {}, "", ""}), std::pair(Miss::never_saved, std::string()));
  EXPECT_EQ(why("two", {}), std::pair(Miss::never_saved, std::string()));
  EXPECT_EQ(caches.find("another project", std::vector<std::string>{"one"}, {}).hit, nullptr);
}

TEST_F(MissTest, TellsWhatWentAndWhy) {
  save_with("one", {"npm", {}, "", ""});
  ASSERT_TRUE(store->remove({Space::cache, "project", "one"}, EvictionReason::budget, "21 GB of 20 GB"));
  const auto [reason, detail] = why("one", {"npm", {}, "", ""});
  EXPECT_EQ(reason, Miss::evicted);
  EXPECT_THAT(detail, ::testing::MatchesRegex("evicted .* ago to make room: 21 GB of 20 GB"));
}

TEST_F(MissTest, ADamagedEntryIsAMissAndIsReplaced) {
  save_with("one", {});
  fs::remove_all(find("one")->layers[0].tree.parent_path());
  EXPECT_EQ(why("one", {}).first, Miss::damaged);
  save_with("one", {});
  EXPECT_NE(find("one"), nullptr);
}

TEST_F(MissTest, TheFirstKeyWithAnEntryWins) {
  save_with("second", {});
  const std::vector<std::string> keys = {"first", "second", "third"};
  const FoundCache found = caches.find("project", keys, {});
  ASSERT_NE(found.hit, nullptr);
  EXPECT_EQ(found.hit->name.key, "second");
  ASSERT_EQ(found.missed.size(), 1U);
  EXPECT_EQ(found.missed[0].reason, Miss::never_saved);
}

}  // namespace
}  // namespace runner::cache
