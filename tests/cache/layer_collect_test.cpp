#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>

#include "cache/layer_files.h"
#include "cache/layer_pack.h"
#include "cache/layer_store.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {
namespace fs = std::filesystem;

using namespace std::chrono_literals;
using testing::commit_tree;
using ::testing::HasSubstr;
using testing::leaks_of;
using testing::ManualClock;
using testing::name_of;
using testing::names_below;
using testing::put;

class LayerCollectTest : public ::testing::Test {
 protected:
  fs::path root() const { return dir_.path() / "layers"; }
  /// An entry of about 100 kB, not held.
  void commit_big(const std::string& key, Space space = Space::cache) {
    Draft draft = store_->begin();
    put(draft.tree() / "file", std::string(100'000, key[0]));
    draft.content = Draft::Content{1, 100'000, 100'000, {}};
    NewEntry entry;
    entry.name = name_of(key);
    entry.name.space = space;
    store_->commit(entry, std::move(draft));
    clock_.advance(1s);
  }
  void seal_all() {
    while (store_->seal_one({})) {
    }
  }

  TempDir dir_;
  ManualClock clock_;
  std::unique_ptr<LayerStore> store_ = LayerStore::open(root(), clock_);
};

TEST_F(LayerCollectTest, LeastRecentlyUsedGoFirstUntilTheBudgetIsKept) {
  for (const char* key : {"a", "b", "c", "d"}) commit_big(key);
  store_->find(name_of("a"));
  CollectPolicy policy;
  policy.budget = 250'000;
  policy.dry_run = true;
  const CollectReport wanted = store_->collect(policy);
  EXPECT_EQ(store_->list({}).size(), 4U);
  policy.dry_run = false;
  const CollectReport report = store_->collect(policy);
  for (const CollectReport& one : {wanted, report}) {
    ASSERT_EQ(one.evicted.size(), 2U);
    EXPECT_EQ(one.evicted[0].name.key, "b");
    EXPECT_EQ(one.evicted[1].name.key, "c");
    EXPECT_EQ(one.layers, 2U);
    EXPECT_EQ(one.bytes, 200'000U);
    EXPECT_EQ(one.kept_bytes, 200'000U);
  }
  EXPECT_TRUE(store_->find(name_of("a")) && store_->find(name_of("d")));
  EXPECT_THAT(store_->eviction(name_of("b"))->detail, HasSubstr("the limit is 244.1 KiB"));
  EXPECT_EQ(names_below(root() / "new").size(), 2U);
}

TEST_F(LayerCollectTest, UsesThatAreNotWrittenYetCount) {
  commit_big("a");
  commit_big("b");
  store_->find(name_of("a"));
  store_->find(name_of("b"));
  clock_.advance(10s);
  store_->find(name_of("a"));  // within the minute: known in memory only
  CollectPolicy policy;
  policy.budget = 150'000;
  EXPECT_EQ(store_->collect(policy).evicted.at(0).name.key, "b");
}

TEST_F(LayerCollectTest, HeldEntriesAreNotEvictedForNothing) {
  commit_big("a");
  commit_big("b");
  const HeldEntry held = store_->find(name_of("a"));
  CollectPolicy policy;
  policy.budget = 0;
  const CollectReport report = store_->collect(policy);
  ASSERT_EQ(report.evicted.size(), 1U);
  EXPECT_EQ(report.evicted[0].name.key, "b");
  EXPECT_EQ(report.kept_bytes, 100'000U);
}

TEST_F(LayerCollectTest, UnusedEntriesGoAfterTheirTimeAndOnlyThoseOfTheSpace) {
  commit_big("a");
  commit_big("x", Space::artifact);
  clock_.advance(24h);
  commit_big("b");
  CollectPolicy policy;
  policy.unused_for = 12h;
  policy.only = Space::cache;
  const CollectReport report = store_->collect(policy);
  ASSERT_EQ(report.evicted.size(), 1U);
  EXPECT_EQ(report.evicted[0].reason, EvictionReason::unused);
  EXPECT_EQ(store_->eviction(name_of("a"))->reason, EvictionReason::unused);
  EXPECT_EQ(store_->list({}).size(), 2U);
}

TEST_F(LayerCollectTest, SealedLayerIsNamedByItsDigestAndItsOldPathStaysRight) {
  const HeldEntry held = commit_tree(*store_, name_of("key"), {{"file", "x"}});
  const fs::path tree = held->layers[0].tree;
  const std::string digest = layer_digest(tree);
  EXPECT_FALSE(store_->seal_one({[] { return true; }, {}}));
  EXPECT_TRUE(store_->seal_one({}));
  EXPECT_FALSE(store_->seal_one({}));
  EXPECT_EQ(read_file(tree / "file"), "x");
  const HeldEntry found = store_->find(name_of("key"));
  EXPECT_EQ(found->layers[0].digest, digest);
  const std::string hex = digest.substr(7);
  EXPECT_EQ(found->layers[0].tree, store_->root() / hex.substr(0, 2) / hex / "tree");
  EXPECT_EQ(store_->layer_by_digest(digest)->id, held->layers[0].id);
  EXPECT_FALSE(store_->layer_by_digest("sha256:0000"));
  const VerifyReport report = store_->verify(true);
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(report.hashed, 1U);
}

TEST_F(LayerCollectTest, LinkOfASealedLayerGoesWhenNobodyCanKnowIt) {
  HeldEntry held = commit_tree(*store_, name_of("key"), {{"file", "x"}});
  seal_all();
  store_->recover();
  EXPECT_TRUE(fs::exists(held->layers[0].tree / "file"));
  EXPECT_EQ(names_below(root() / "new").size(), 1U);
  held.reset();
  store_->recover();
  EXPECT_TRUE(names_below(root() / "new").empty());
  EXPECT_TRUE(store_->find(name_of("key")));
}

TEST_F(LayerCollectTest, SameContentIsKeptOnce) {
  for (const char* key : {"one", "two", "three"}) {
    Draft draft = store_->begin();
    put(draft.tree() / "file", "same");
    fs::last_write_time(draft.tree() / "file", {});
    fs::last_write_time(draft.tree(), {});
    NewEntry entry;
    entry.name = name_of(key);
    store_->commit(entry, std::move(draft));
  }
  seal_all();
  const HeldEntry one = store_->find(name_of("one"));
  EXPECT_EQ(store_->find(name_of("three"))->layers[0].id, one->layers[0].id);
  EXPECT_EQ(store_->collect({}).layers, 2U);
  EXPECT_EQ(read_file(store_->find(name_of("two"))->layers[0].tree / "file"), "same");
  EXPECT_TRUE(store_->verify(true).problems.empty());
}

TEST_F(LayerCollectTest, ChangedFileOfASealedLayerIsFoundByContentOnly) {
  const HeldEntry held = commit_tree(*store_, name_of("key"), {{"file", "x"}});
  seal_all();
  write_file_atomic(held->layers[0].tree / "file", "y", 0644, false);
  EXPECT_TRUE(store_->verify(false).problems.empty());
  const VerifyReport report = store_->verify(true);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_THAT(report.problems[0].what, HasSubstr("sha256:"));
}

TEST_F(LayerCollectTest, RecoverLeavesWhatIsInWork) {
  const auto other = LayerStore::open(root(), clock_);
  Draft draft = other->begin();
  put(draft.tree() / "file", "x");
  store_->recover();
  EXPECT_TRUE(fs::exists(draft.tree() / "file"));
  NewEntry entry;
  entry.name = name_of("key");
  const HeldEntry held = other->commit(entry, std::move(draft));
  store_->remove(name_of("key"), EvictionReason::removed, "");
  store_->recover();
  store_->collect({});
  EXPECT_TRUE(fs::exists(held->layers[0].tree / "file"));
}

/// What one of several processes does; the first thing that is wrong, or empty.
std::string work_on(const fs::path& root, unsigned seed) {
  const SystemClock clock;
  const auto store = LayerStore::open(root, clock);
  std::mt19937 random(seed);
  for (int i = 0; i < 60; ++i) {
    const EntryName name = name_of(std::to_string(random() % 4));
    const std::string text = std::to_string(seed) + "-" + std::to_string(i % 3);
    commit_tree(*store, name, {{"a", text}, {"b", text}});
    if (const HeldEntry held = store->find(name_of(std::to_string(random() % 4)))) {
      if (i % 4 == 0) store->collect({});
      const fs::path tree = held->layers[0].tree;
      const auto a = read_file(tree / "a");
      if (!a) return "a held layer is gone";
      if (a != read_file(tree / "b")) return "a layer is mixed";
    }
    if (i % 5 == 0) store->seal_one({});
    if (i % 7 == 0) store->remove(name, EvictionReason::removed, "");
    if (i % 10 == 0) store->recover();
    if (i % 20 == 0) store->start_sync();
    CollectPolicy policy;
    policy.budget = 50'000;
    if (i % 6 == 0) store->collect(policy);
  }
  return {};
}

/// Says stop when it is asked for the n-th time, and from then on.
Background stopped_at(int asked) {
  return {[left = std::make_shared<int>(asked)] { return --*left <= 0; }, {}};
}

/// This process itself uses layers.
std::vector<std::string> leaks_without_us(const fs::path& root) {
  std::vector<std::string> leaks = leaks_of(root);
  const std::string own = "holders/" + std::to_string(::getpid()) + "-";
  leaks.erase(std::remove_if(leaks.begin(), leaks.end(),
                             [&](const std::string& leak) { return leak.starts_with(own); }),
              leaks.end());
  return leaks;
}

TEST_F(LayerCollectTest, WhatAStoppedCollectionLeavesIsDoneNextTime) {
  bool collected = false;
  for (int stop_at = 1; !collected; ++stop_at) {
    ASSERT_LT(stop_at, 100);
    SCOPED_TRACE(stop_at);
    for (const char* key : {"a", "b"}) commit_tree(*store_, name_of(key), {{"1", "x"}, {"dir/2", "x"}});
    for (const char* key : {"a", "b"}) store_->remove(name_of(key), EvictionReason::removed, "");
    const CollectReport report = store_->collect({}, stopped_at(stop_at));
    EXPECT_TRUE(report.layers == 0 || report.layers == 2) << report.layers;
    EXPECT_EQ(testing::count_rows(root(), "layers"), report.layers == 0 ? 2 : 0);
    collected =
        report.layers == 2 && names_below(root() / "new").empty() && names_below(root() / "trash").empty();
    store_->collect({});
    store_->recover();
    EXPECT_EQ(testing::count_rows(root(), "layers"), 0);
    EXPECT_TRUE(leaks_without_us(root()).empty()) << ::testing::PrintToString(leaks_without_us(root()));
    EXPECT_GT(stop_at, collected ? 5 : 0) << "it is asked too rarely";
  }
}

TEST_F(LayerCollectTest, WhatAStoppedRecoveryLeavesIsDoneNextTime) {
  commit_tree(*store_, name_of("kept"), {{"file", "x"}});
  bool recovered = false;
  for (int stop_at = 1; !recovered; ++stop_at) {
    ASSERT_LT(stop_at, 100);
    SCOPED_TRACE(stop_at);
    for (const char* name : {"drafts/a/tree/1", "drafts/b/tree/1", "new/c/tree/1", "ab/abc/tree/dir/1",
                             "trash/d/1", "trash/e/dir/2", "holders/gone"})
      put(root() / name, "x");
    store_->recover(stopped_at(stop_at));
    recovered = leaks_without_us(root()).empty();
    EXPECT_GT(stop_at, recovered ? 15 : 0) << "it is asked too rarely";
    EXPECT_TRUE(store_->peek(name_of("kept")));
    EXPECT_TRUE(store_->verify(true).problems.empty());
    store_->recover();
    EXPECT_TRUE(leaks_without_us(root()).empty()) << ::testing::PrintToString(leaks_without_us(root()));
  }
}

TEST_F(LayerCollectTest, WhatADeadProcessHeldIsForgottenByTheFirstRecovery) {
  commit_tree(*store_, name_of("kept"), {{"file", "x"}});
  const std::int64_t before = testing::count_rows(root(), "uses");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = LayerStore::open(root(), clock_);
    const HeldEntry held = store->find(name_of("kept"));
    ::_exit(held ? 0 : 1);  // without letting go of it
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(testing::count_rows(root(), "uses"), before + 1);
  store_->recover();
  EXPECT_EQ(testing::count_rows(root(), "uses"), before);
}

// Whoever looks for leftovers keeps the locks of what it has found until it has got the index, and whoever
// makes a holder has the index already.
TEST_F(LayerCollectTest, NobodyWaitsForALockThatALookForLeftoversHolds) {
  make_directories(root() / "holders");
  std::atomic<bool> done{false};
  std::vector<UniqueFd> locks;
  std::thread looking([&] {
    while (!done) {
      for (const std::string& name : names_below(root() / "holders")) {
        if (UniqueFd lock = lock_leftover(root() / "holders" / name)) locks.push_back(std::move(lock));
      }
    }
  });
  for (int i = 0; i < 3000; ++i) {
    const LockedPath made = make_locked_file(root() / "holders", "made-");
    ::unlink(made.path.c_str());
  }
  done = true;
  looking.join();
}

TEST_F(LayerCollectTest, ProcessesThatStartAtOnceOnANewStoreDoNotDisturbEachOther) {
  store_.reset();
  std::vector<pid_t> children;
  for (unsigned seed = 0; seed < 4; ++seed) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::string said;
      try {
        said = work_on(root(), seed);
      } catch (const std::exception& error) {
        said = error.what();
      }
      if (!said.empty()) std::fprintf(stderr, "process %u: %s\n", seed, said.c_str());
      ::_exit(said.empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  {
    const auto store = LayerStore::open(root(), clock_);
    store->recover();
    for (const VerifyProblem& problem : store->verify(true).problems) {
      ADD_FAILURE() << problem.path << ": " << problem.what;
    }
  }
  EXPECT_TRUE(leaks_of(root()).empty()) << ::testing::PrintToString(leaks_of(root()));
}

TEST_F(LayerCollectTest, ThreadsOfOneStoreDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        const EntryName name = name_of(std::to_string(i % 3));
        const std::string text = std::to_string(t);
        commit_tree(*store_, name, {{"a", text}, {"b", text}});
        const HeldEntry held = store_->find(name);
        if (i % 3 == 0) store_->collect({});
        if (i % 5 == 0) store_->seal_one({});
        if (i % 8 == 0) store_->recover();
        if (!held) continue;
        const auto a = read_file(held->layers[0].tree / "a");
        if (!a || a != read_file(held->layers[0].tree / "b")) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(store_->verify(true).problems.empty());
}

}  // namespace
}  // namespace runner::cache
