#include "cache/housekeeper.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "cache/caches.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"
#include "tests/support/sync_process.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using testing::put;

/// Sets RUNNER_CACHE_SIZE for a while.
class CacheSize {
 public:
  explicit CacheSize(const char* text) { ::setenv("RUNNER_CACHE_SIZE", text, 1); }
  ~CacheSize() { ::unsetenv("RUNNER_CACHE_SIZE"); }
  CacheSize(const CacheSize&) = delete;
  CacheSize& operator=(const CacheSize&) = delete;
};

TEST(DefaultBudget, IsWhatTheEnvironmentSays) {
  constexpr struct {
    const char* text;
    std::uint64_t bytes;
  } kCases[] = {{"50GB", 50'000'000'000}, {"500 MiB", 500ULL << 20U}, {"1.5GiB", 3ULL << 29U},
                {"4096", 4096},           {"0", kNoBudget},           {"0 GB", kNoBudget}};
  for (const auto& [text, bytes] : kCases) {
    const CacheSize size(text);
    EXPECT_EQ(default_budget("/"), bytes) << text;
  }
}

TEST(DefaultBudget, NamesWhatIsNoSize) {
  for (const char* text : {"much", "-1", "5 apples", "GB", "99999999999999999999TB", "1e3", "nan", " "}) {
    const CacheSize size(text);
    try {
      default_budget("/");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      EXPECT_NE(std::string(error.what()).find("RUNNER_CACHE_SIZE is '" + std::string(text) + "'"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(DefaultBudget, IsATenthOfTheDiskButNotTooMuch) {
  const CacheSize none("");
  const TempDir dir;
  struct statvfs space {};
  ASSERT_EQ(::statvfs(dir.path().c_str(), &space), 0);
  const std::uint64_t expected = std::min<std::uint64_t>(20ULL << 30U, space.f_blocks * space.f_frsize / 10);
  EXPECT_EQ(default_budget(dir.path()), expected);
  EXPECT_EQ(default_budget(dir.path() / "not/yet/there"), expected);
}

/// Counts what is asked of it; everything else is the real store's.
class WatchedStore : public LayerStore {
 public:
  explicit WatchedStore(LayerStore& real) : real_(real) {}
  const fs::path& root() const noexcept override { return real_.root(); }
  Draft begin() override { return real_.begin(); }
  HeldEntry commit(NewEntry entry, std::optional<Draft> top) override {
    return real_.commit(std::move(entry), std::move(top));
  }
  HeldEntry find(const EntryName& name, std::string* why) override { return real_.find(name, why); }
  std::shared_ptr<const Layer> add(Draft draft) override { return real_.add(std::move(draft)); }
  HeldEntry peek(const EntryName& name, std::string* why) override {
    if (fails_to_peek && name.key == "high") throw Error(ErrorCode::internal, "it cannot be read");
    return real_.peek(name, why);
  }
  std::vector<Entry> list(const EntryFilter& filter) override { return real_.list(filter); }
  std::optional<Entry> newest_of_family(Space space, std::string_view scope,
                                        std::string_view family) override {
    return real_.newest_of_family(space, scope, family);
  }
  std::optional<Eviction> eviction(const EntryName& name) override { return real_.eviction(name); }
  bool remove(const EntryName& name, EvictionReason reason, std::string_view detail) override {
    return real_.remove(name, reason, detail);
  }
  void forget(const EntryName& name) override { real_.forget(name); }
  bool restack(const Entry& from, std::optional<Draft> top, std::vector<std::int64_t> below) override {
    return real_.restack(from, std::move(top), std::move(below));
  }
  std::shared_ptr<const Layer> layer_by_digest(std::string_view digest) override {
    return real_.layer_by_digest(digest);
  }
  bool owns(const fs::path& path) const override { return real_.owns(path); }
  CollectReport collect(const CollectPolicy& policy, const Background& background) override {
    CollectReport report = real_.collect(policy, background);
    note(policy.dry_run ? "look" : "collect");
    return report;
  }
  void recover(const Background& background) override {
    background.do_slowly([this] {
      scheduler = ::sched_getscheduler(0);
      nice_value = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)));
      io = static_cast<int>(::syscall(SYS_ioprio_get, 1, 0));
    });
    own_scheduler = ::sched_getscheduler(0);
    real_.recover(background);
    note("recover");
  }
  VerifyReport verify(bool content) override { return real_.verify(content); }
  bool seal_one(const Background& background) override {
    note("seal");
    return real_.seal_one(background);
  }
  bool start_sync() override {
    const bool started = real_.start_sync();
    note("sync");
    return started;
  }

  /// What squashing asks first fails as long as it is set.
  std::atomic<bool> fails_to_peek{false};

  /// Waits until `what` was asked for so often; throws when that does not come.
  void wait_for(const std::string& what, int times = 1) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::minutes(1), [&] { return asked_[what] >= times; }))
      throw std::runtime_error("the store was never asked for '" + what + "'");
  }
  int times(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return asked_[what];
  }
  int scheduler = -1, own_scheduler = -1, nice_value = 0, io = 0;

 private:
  void note(const std::string& what) {
    {
      const std::lock_guard lock(mutex_);
      ++asked_[what];
    }
    changed_.notify_all();
  }

  LayerStore& real_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> asked_;
};

struct HousekeeperTest : ::testing::Test {
  HeldEntry commit(const std::string& key, const std::string& content, std::vector<std::int64_t> below = {}) {
    Draft draft = store->begin();
    put(draft.tree() / ("file of " + key), content);
    return store->commit({{Space::cache, "project", key}, {}, std::move(below), 1, content.size(), {}},
                         std::move(draft));
  }
  TempDir top;
  SystemClock clock;
  std::unique_ptr<LayerStore> store = LayerStore::open(top.path() / "layers", clock);
  WatchedStore watched{*store};
};

TEST_F(HousekeeperTest, HashesWithALowPriorityAndSyncs) {
  commit("one", "1");
  commit("two", "2");
  Housekeeper housekeeper(watched, {kNoBudget, {}});
  housekeeper.wake();
  watched.wait_for("look");
  for (const Entry& entry : store->list({}))
    EXPECT_EQ(entry.layers.front().digest.substr(0, 7), "sha256:") << entry.name.key;
  EXPECT_EQ(watched.scheduler, SCHED_BATCH);
  EXPECT_EQ(watched.own_scheduler, SCHED_OTHER) << "it would hold the index for long";
  EXPECT_GE(watched.nice_value, 10);
  EXPECT_EQ(watched.io, 2 << 13 | 7);
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  watched.wait_for("sync");
  commit("three", "3");
  housekeeper.wake();
  watched.wait_for("look", 2);
  EXPECT_FALSE(store->peek({Space::cache, "project", "three"})->layers.front().digest.empty());
  housekeeper.stop();
  housekeeper.stop();
  housekeeper.wake();
}

TEST_F(HousekeeperTest, KeepsTheBudgetAndWhatWasUsedLast) {
  for (int i = 0; i < 10; ++i) commit(std::to_string(i), std::string(100'000, static_cast<char>('a' + i)));
  ASSERT_NE(store->find({Space::cache, "project", "0"}), nullptr);
  Housekeeper housekeeper(watched, {450'000, {}});
  housekeeper.wake();
  watched.wait_for("collect");
  CollectPolicy look;
  look.dry_run = true;
  EXPECT_LE(store->collect(look).kept_bytes, 450'000U);
  EXPECT_EQ(store->list({}).size(), 4U);
  const auto gone = store->eviction({Space::cache, "project", "1"});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->reason, EvictionReason::budget);
}

TEST_F(HousekeeperTest, MakesHighStacksShort) {
  HeldEntry entry = commit("base", "base");
  std::vector<std::int64_t> below{entry->layers.front().id};
  for (int i = 0; i < 20; ++i) {
    Draft draft = store->begin();
    put(draft.tree() / std::to_string(i), "x");
    entry = store->commit({{Space::cache, "project", "high"}, {}, below, 21, 25, {}}, std::move(draft));
    below.insert(below.begin(), entry->layers.front().id);
  }
  ASSERT_EQ(entry->layers.size(), 21U);
  std::vector<fs::path> trees;
  for (const Layer& layer : entry->layers) trees.push_back(layer.tree);
  const testing::Snapshot expected = testing::snapshot_of(LayeredTree(trees));
  Housekeeper housekeeper(watched, {kNoBudget, {}});
  housekeeper.wake();
  watched.wait_for("look");
  const HeldEntry now = store->peek({Space::cache, "project", "high"});
  ASSERT_LE(now->layers.size(), 8U);
  trees.clear();
  for (const Layer& layer : now->layers) trees.push_back(layer.tree);
  EXPECT_EQ(testing::first_difference(testing::snapshot_of(LayeredTree(trees)), expected), "");
}

TEST_F(HousekeeperTest, OneEntryThatCannotBeReadLetsTheOthersGrowNoLarger) {
  const HeldEntry base = commit("base", "base");
  std::vector<std::int64_t> below{base->layers.front().id};
  for (int i = 0; i < 10; ++i) {
    const HeldEntry entry = commit("high", std::string(50'000, static_cast<char>('a' + i)), below);
    below.insert(below.begin(), entry->layers.front().id);
  }
  for (int i = 0; i < 10; ++i) commit(std::to_string(i), std::string(100'000, static_cast<char>('a' + i)));
  watched.fails_to_peek = true;
  Housekeeper housekeeper(watched, {450'000, {}});
  housekeeper.wake();
  watched.wait_for("collect");
  CollectPolicy look;
  look.dry_run = true;
  EXPECT_LE(store->collect(look).kept_bytes, 450'000U);
}

TEST_F(HousekeeperTest, StopsInTheMiddleOfALargeFile) {
  {
    Draft draft = store->begin();
    const fs::path large = draft.tree() / "large";
    put(large, "");
    fs::resize_file(large, 4ULL << 30U);  // a hole: hashing it takes seconds all the same
    store->commit({{Space::cache, "project", "large"}, {}, {}, 1, 4ULL << 30U, {}}, std::move(draft));
  }
  Housekeeper housekeeper(watched, {kNoBudget, {}});
  housekeeper.wake();
  watched.wait_for("seal");
  const auto begin = std::chrono::steady_clock::now();
  housekeeper.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
  EXPECT_EQ(store->peek({Space::cache, "project", "large"})->layers.front().digest, "");
}

TEST_F(HousekeeperTest, GoesOnAfterAFailure) {
  const HeldEntry entry = commit("one", "1");
  fs::permissions(entry->layers.front().tree, fs::perms::none);
  Housekeeper housekeeper(watched, {kNoBudget, {}});
  housekeeper.wake();
  watched.wait_for("recover");
  commit("two", "2");
  housekeeper.wake();
  watched.wait_for("sync");
  EXPECT_FALSE(store->peek({Space::cache, "project", "two"})->layers.front().digest.empty());
  fs::permissions(entry->layers.front().tree, fs::perms::owner_all);
}

TEST_F(HousekeeperTest, StopsWithASyncLeftBehindWhenThereIsSomethingUnsynced) {
  commit("one", "1");
  Housekeeper housekeeper(watched, {kNoBudget, {}});
  housekeeper.wake();
  watched.wait_for("recover");
  housekeeper.stop();
  EXPECT_GE(watched.times("sync"), 1);
  EXPECT_EQ(testing::names_below(top.path() / "layers/sync").size(), 2U) << "a lock and a wish";
  housekeeper.stop();
  test::hurry_sync(top.path() / "layers");
  EXPECT_FALSE(store->start_sync());
  EXPECT_EQ(testing::count_rows(top.path() / "layers", "layers WHERE boot IS NOT NULL"), 0);
}

TEST_F(HousekeeperTest, CostsNothingWhenNobodyWakesIt) {
  { Housekeeper housekeeper(*store, {kNoBudget, {}}); }
  EXPECT_FALSE(fs::exists(top.path() / "layers/index.db"));
}

}  // namespace
}  // namespace runner::cache
