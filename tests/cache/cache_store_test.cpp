#include "cache/cache_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <set>
#include <thread>

#include "cache/cache_key.h"
#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using Result = CacheSave::Result;
using testing::first_difference;
using testing::put;
using testing::Snapshot;
using testing::snapshot_of;

Selection select(const LayeredTree& tree, const std::vector<std::string>& paths) {
  return select_paths(tree, paths, {}, "/nowhere");
}

struct CacheStoreTest : ::testing::Test {
  fs::path at(const std::string& name) const { return top.path() / name; }
  fs::path root() const { return at("caches"); }

  /// Saves what lies in `upper` alone.
  CacheSave save(const std::string& key, const fs::path& upper, const std::vector<std::string>& paths) {
    const LayeredTree tree({upper});
    return store->save("project", key, tree, select(tree, paths), upper, nullptr);
  }
  std::unique_ptr<CacheHit> find(const std::string& key, std::string_view scope = "project") {
    return std::move(store->find(scope, std::vector{key}).hit);
  }
  std::size_t generations_of(const std::string& key) const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(root() / "entries/project" / directory_name(key))) {
      if (entry.path().filename().string().starts_with("g-")) ++count;
    }
    return count;
  }

  TempDir top;
  SystemClock clock;
  std::unique_ptr<CacheStore> store = make_cache_store(root(), clock);
};

TEST_F(CacheStoreTest, WhatIsSavedIsFound) {
  put(at("upper/dir/file"), "12345");
  put(at("upper/dir/sub/other"), "1");
  put(at("upper/not-selected"), "x");
  fs::create_symlink("file", at("upper/dir/link"));
  make_directories(at("upper/dir/empty"));
  ASSERT_EQ(::chmod(at("upper/dir/sub").c_str(), 0511), 0);
  const CacheSave saved = save("key", at("upper"), {"dir"});
  EXPECT_EQ(saved.result, Result::saved);
  EXPECT_EQ(saved.files, 3U);
  EXPECT_EQ(saved.bytes, 6U);
  const auto hit = find("key");
  ASSERT_NE(hit, nullptr);
  EXPECT_EQ(hit->key(), "key");
  EXPECT_EQ(hit->files(), 3U);
  EXPECT_EQ(hit->bytes(), 6U);
  EXPECT_EQ(first_difference(snapshot_of(LayeredTree(hit->layers()), testing::Times::compared),
                             testing::below(snapshot_of(at("upper"), testing::Times::compared), "dir")),
            "");
}

TEST_F(CacheStoreTest, TheFirstKeyWithAnEntryWinsAndMissesAreNamed) {
  put(at("upper/a"), "1");
  save("second", at("upper"), {"a"});
  const std::vector<std::string> keys = {"first", "second", "third"};
  const CacheLookup lookup = store->find("project", keys);
  ASSERT_NE(lookup.hit, nullptr);
  EXPECT_EQ(lookup.hit->key(), "second");
  EXPECT_THAT(lookup.missed,
              ::testing::ElementsAre(std::pair(std::string("first"), MissReason::never_saved)));
  EXPECT_EQ(find("second", "another project"), nullptr);
}

TEST_F(CacheStoreTest, NothingSelectedSavesNothing) {
  make_directories(at("upper"));
  EXPECT_EQ(save("key", at("upper"), {"missing"}).result, Result::nothing_matched);
  EXPECT_EQ(find("key"), nullptr);
}

TEST_F(CacheStoreTest, KeysMayBeAnyTextAndNeverMeet) {
  const std::vector<std::string> keys = {"key",
                                         "KEY",
                                         "Key",
                                         "../../x",
                                         "..",
                                         ".",
                                         "",
                                         "/",
                                         "a/b",
                                         "a_b",
                                         "a\nb",
                                         "ümlaut",
                                         "\xff",
                                         "key~",
                                         std::string(4096, 'k'),
                                         std::string(4097, 'k'),
                                         std::string("a\0b", 3),
                                         "lock",
                                         "current",
                                         "CON "};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const fs::path upper = at("upper" + std::to_string(i));
    put(upper / "which", std::to_string(i));
    ASSERT_EQ(save(keys[i], upper, {"which"}).result, Result::saved);
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto hit = find(keys[i]);
    ASSERT_NE(hit, nullptr) << keys[i];
    EXPECT_EQ(read_file(hit->layers().front() / "which"), std::to_string(i));
    const std::string name = directory_name(keys[i]);
    EXPECT_TRUE(names.insert(name).second);
    EXPECT_LE(name.size(), 110U);
    EXPECT_EQ(name.find_first_of(std::string_view("/\0\n", 3)), std::string::npos);
  }
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(top.path())) {
    if (!entry.path().filename().string().starts_with("upper")) ++beside;
  }
  EXPECT_EQ(beside, 1U) << "something was made outside of the store";
}

TEST_F(CacheStoreTest, OwnFilesAreLinkedAndFilesOfOthersAreCopied) {
  put(at("upper/dir/own"), "own");
  put(at("checkout/dir/theirs"), "theirs");
  put(at("home/secret"), "outside");
  fs::create_hard_link(at("home/secret"), at("upper/dir/smuggled"));
  const LayeredTree tree({at("upper"), at("checkout")});
  store->save("project", "key", tree, select(tree, {"dir"}), at("upper"), nullptr);
  const auto hit = find("key");
  const fs::path entry = hit->layers().front() / "dir";
  EXPECT_TRUE(fs::equivalent(entry / "own", at("upper/dir/own")));
  EXPECT_FALSE(fs::equivalent(entry / "theirs", at("checkout/dir/theirs")));
  EXPECT_FALSE(fs::equivalent(entry / "smuggled", at("home/secret")));
  EXPECT_EQ(read_file(entry / "smuggled"), "outside");
}

struct SecondRun {
  const char* name;
  void (*job)(const fs::path& upper);
  Result expected;
};

TEST_F(CacheStoreTest, ASecondRunSavesOnlyWhatChanged) {
  put(at("first/dir/a"), "a");
  put(at("first/dir/sub/b"), "b");
  save("key", at("first"), {"dir"});
  const SecondRun runs[] = {
      {"nothing", [](const fs::path&) {}, Result::up_to_date},
      {"elsewhere", [](const fs::path& upper) { put(upper / "other/x", ""); }, Result::up_to_date},
      {"a new file", [](const fs::path& upper) { put(upper / "dir/new", ""); }, Result::saved},
      {"another content", [](const fs::path& upper) { put(upper / "dir/a", "A"); }, Result::saved},
      {"a new directory", [](const fs::path& upper) { make_directories(upper / "dir/made"); }, Result::saved},
      {"deleted",
       [](const fs::path& upper) {
         make_directories(upper / "dir");
         ASSERT_EQ(::mknod((upper / "dir/a").c_str(), S_IFCHR, 0), 0);
       },
       Result::saved},
  };
  for (const SecondRun& run : runs) {
    const auto hit = find("key");
    const fs::path upper = at(std::string("upper ") + run.name);
    make_directories(upper);
    run.job(upper);
    const LayeredTree tree({upper, hit->layers().front()});
    const Snapshot expected = testing::below(snapshot_of(tree), "dir");
    const CacheSave result = store->save("project", "key", tree, select(tree, {"dir"}), upper, hit.get());
    EXPECT_EQ(result.result, run.expected) << run.name;
    EXPECT_EQ(first_difference(snapshot_of(LayeredTree(find("key")->layers())), expected), "") << run.name;
  }
}

TEST_F(CacheStoreTest, AFallbackHitIsSavedUnderTheKeyItself) {
  put(at("first/dir/a"), "a");
  save("fallback", at("first"), {"dir"});
  const auto hit = find("fallback");
  make_directories(at("upper"));
  const LayeredTree tree({at("upper"), hit->layers().front()});
  EXPECT_EQ(store->save("project", "key", tree, select(tree, {"dir"}), at("upper"), hit.get()).result,
            Result::saved);
  const auto own = find("key");
  ASSERT_NE(own, nullptr);
  EXPECT_TRUE(fs::equivalent(own->layers().front() / "dir/a", hit->layers().front() / "dir/a"));
}

TEST_F(CacheStoreTest, ACopiedWorkspaceIsUpToDateByModesAndTimes) {
  put(at("first/dir/a"), "a");
  make_directories(at("first/dir/empty"));
  save("key", at("first"), {"dir"});
  const auto hit = find("key");
  const auto workspace = Workspaces(MountMode::copy).create({at("job"), hit->layers(), at("seen")});
  const auto again = [&] {
    return store
        ->save("project", "key", workspace->tree(), select(workspace->tree(), {"dir"}), workspace->upper(),
               hit.get())
        .result;
  };
  EXPECT_EQ(again(), Result::up_to_date);
  put(workspace->upper() / "dir/a", "b");
  EXPECT_EQ(again(), Result::saved);
  EXPECT_EQ(read_file(find("key")->layers().front() / "dir/a"), "b");
  workspace->remove();
}

TEST_F(CacheStoreTest, AReplacedEntryStaysWhileItIsHeldAndGoesAfterwards) {
  put(at("one/f"), "1");
  put(at("two/f"), "2");
  put(at("three/f"), "3");
  save("key", at("one"), {"f"});
  auto held = find("key");
  save("key", at("two"), {"f"});
  EXPECT_EQ(read_file(held->layers().front() / "f"), "1");
  EXPECT_EQ(read_file(find("key")->layers().front() / "f"), "2");
  EXPECT_EQ(generations_of("key"), 2U);
  held.reset();
  save("key", at("three"), {"f"});
  EXPECT_EQ(generations_of("key"), 1U);
  EXPECT_TRUE(fs::is_empty(root() / "trash"));
}

TEST_F(CacheStoreTest, ADamagedEntryIsAMissAndIsReplaced) {
  const auto current = [&] { return fs::canonical(root() / "entries/project/key/current"); };
  using Damage = std::function<void()>;
  const Damage damages[] = {
      [&] { put(current() / "meta.json", "{\"format\":"); },
      [&] { put(current() / "meta.json", "[]"); },
      [&] { put(current() / "meta.json", "{\"format\":1,\"files\":\"x\"}"); },
      [&] { fs::remove(current() / "meta.json"); },
      [&] { fs::remove_all(current() / "tree"); },
      [&] { fs::remove_all(current()); },
  };
  put(at("upper/f"), "1");
  for (const Damage& damage : damages) {
    ASSERT_EQ(save("key", at("upper"), {"f"}).result, Result::saved);
    ASSERT_NE(find("key"), nullptr);
    damage();
    const CacheLookup lookup = store->find("project", std::vector<std::string>{"key"});
    EXPECT_EQ(lookup.hit, nullptr);
    EXPECT_THAT(lookup.missed, ::testing::ElementsAre(std::pair(std::string("key"), MissReason::damaged)));
  }
}

TEST_F(CacheStoreTest, WhatAKilledSaveLeftIsRemovedByTheNext) {
  put(at("upper/f"), "1");
  save("key", at("upper"), {"f"});
  put(root() / "entries/project/key/g-killed/tree/half", "x");
  fs::create_symlink("g-killed", root() / "entries/project/key/next");
  save("key", at("upper"), {"f"});
  EXPECT_EQ(generations_of("key"), 1U);
  ASSERT_NE(find("key"), nullptr);
}

/// All files of an entry hold the same text: two saves that mixed would show.
void save_and_check(CacheStore& store, const fs::path& place, int who, std::atomic<int>& wrong) {
  for (int round = 0; round < 15; ++round) {
    const fs::path upper = place / (std::to_string(who) + "-" + std::to_string(round));
    const std::string text = upper.filename().string();
    for (int i = 0; i < 10; ++i) put(upper / "dir" / std::to_string(i), text);
    const LayeredTree tree({upper});
    const std::vector<std::string> paths = {"dir"};
    store.save("project", "shared", tree, select_paths(tree, paths, {}, "/nowhere"), upper, nullptr);
    const CacheLookup lookup = store.find("project", std::vector<std::string>{"shared"});
    if (!lookup.hit) {
      ++wrong;
      continue;
    }
    std::set<std::string> texts;
    for (int i = 0; i < 10; ++i) {
      texts.insert(read_file(lookup.hit->layers().front() / "dir" / std::to_string(i)).value_or("missing"));
    }
    if (texts.size() != 1 || texts.contains("missing")) ++wrong;
  }
}

TEST_F(CacheStoreTest, ManyThreadsSaveAndReadOneKey) {
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int who = 0; who < 6; ++who) {
      threads.emplace_back([&, who] { save_and_check(*store, at("threads"), who, wrong); });
    }
  }
  EXPECT_EQ(wrong, 0);
  put(at("last/dir/f"), "1");
  save("shared", at("last"), {"dir"});
  EXPECT_EQ(generations_of("shared"), 1U);
}

TEST_F(CacheStoreTest, ManyProcessesSaveAndReadOneKeyAndSomeAreKilled) {
  std::vector<pid_t> children;
  for (int who = 0; who < 6; ++who) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::atomic<int> wrong = 0;
      try {
        save_and_check(*make_cache_store(root(), clock), at("processes"), who, wrong);
      } catch (const std::exception&) {
        ::_exit(99);
      }
      ::_exit(wrong);
    }
    children.push_back(child);
  }
  ::kill(children[0], SIGKILL);
  for (std::size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    ::waitpid(children[i], &status, 0);
    if (i > 0) {
      EXPECT_EQ(status, 0);
    }
  }
  put(at("last/dir/f"), "1");
  save("shared", at("last"), {"dir"});
  EXPECT_EQ(generations_of("shared"), 1U);
  EXPECT_EQ(read_file(find("shared")->layers().front() / "dir/f"), "1");
}

TEST_F(CacheStoreTest, AFailedSaveLeavesTheOldEntry) {
  put(at("upper/f"), "old");
  save("key", at("upper"), {"f"});
  const LayeredTree tree({at("upper")});
  const Selection selection = select(tree, {"f"});
  fs::remove(at("upper/f"));
  EXPECT_THROW(store->save("project", "key", tree, selection, at("upper"), nullptr), Error);
  EXPECT_EQ(read_file(find("key")->layers().front() / "f"), "old");
  EXPECT_EQ(generations_of("key"), 1U);
}

}  // namespace
}  // namespace runner::cache
