// A process is killed at every place where something of the store is half done; the next one finds a store
// that is whole.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <set>

#include "cache/layer_store.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/layered_tree.h"
#include "runner/base/text.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"
#include "tests/support/sanitized.h"
#include "tests/support/sync_process.h"

namespace runner::cache {
namespace {
namespace fs = std::filesystem;

using testing::commit_tree;
using testing::leaks_of;
using testing::ManualClock;
using testing::name_of;
using testing::names_below;
using testing::put;

testing::Files version(const std::string& text) {
  return {{"a", text}, {"dir/b", text}};
}

void seal_all(LayerStore& store) {
  while (store.seal_one({})) {
  }
}

/// Everything a store can be asked to do.
void run_scenario(const fs::path& root) {
  ManualClock clock;
  const auto store = LayerStore::open(root, clock);
  HeldEntry one = commit_tree(*store, name_of("one"), version("1"));
  NewEntry stacked;
  stacked.name = name_of("two");
  stacked.below = {one->layers[0].id};
  Draft delta = store->begin();
  put(delta.tree() / "a", "2");
  put(delta.tree() / "dir/b", "2");
  const HeldEntry two = store->commit(stacked, std::move(delta));
  seal_all(*store);
  one = commit_tree(*store, name_of("one"), version("1 again"));
  clock.advance(std::chrono::minutes(2));
  store->find(name_of("two"));
  // Equal trees have equal digests only with equal times.
  fs::last_write_time(one->layers[0].tree / "a", {});
  Draft same = store->begin();
  fs::copy(one->layers[0].tree, same.tree(), fs::copy_options::recursive);
  for (const char* path : {"a", "dir/b", "dir", ""}) {
    fs::last_write_time(same.tree() / path, fs::last_write_time(one->layers[0].tree / path));
  }
  NewEntry twin;
  twin.name = name_of("twin");
  store->commit(twin, std::move(same));
  seal_all(*store);
  store->collect({});
  Draft squashed = store->begin();
  put(squashed.tree() / "a", "2");
  put(squashed.tree() / "dir/b", "2");
  store->restack(*store->peek(name_of("two")), std::move(squashed), {});
  store->remove(name_of("twin"), EvictionReason::removed, "");
  one.reset();
  Draft alone = store->begin();
  put(alone.tree() / "file", "of no entry");
  store->add(std::move(alone));
  store->collect({});
  commit_tree(*store, name_of("new"), version("new"));
  store->start_sync();
  test::hurry_sync(root);
  store->start_sync();
  commit_tree(*store, name_of("newer"), version("newer"));
  store->start_sync();
  put(root / "sync/earlier.wanted", "7\n");
  CollectPolicy policy;
  policy.budget = 20'000;
  store->collect(policy);
  store->recover();
  test::hurry_sync(root);
  { const Draft dropped = store->begin(); }
}

/// Runs the scenario in a child that is killed at the k-th failpoint. The names it reached, in order; the
/// last one is where it was killed unless `finished`.
struct Outcome {
  std::vector<std::string> reached;
  bool finished = false;
};
Outcome run_child(const fs::path& root, std::size_t kill_at) {
  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  if (child < 0) throw_errno("fork");
  if (child == 0) {
    std::size_t count = 0;
    set_failpoint_handler([&](std::string_view name) {
      write_all(pipe.write.get(), std::string(name) + "\n");
      if (++count == kill_at) ::raise(SIGKILL);
    });
    try {
      run_scenario(root);
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  pipe.write.reset();
  std::string said;  // the end of it comes although a process that syncs may still be there
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<std::size_t>(got));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  test::hurry_sync(root);
  EXPECT_TRUE(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
  Outcome outcome;
  for (const std::string_view line : split_words(said)) outcome.reached.emplace_back(line);
  outcome.finished = WIFEXITED(status);
  return outcome;
}

void expect_whole_entries(LayerStore& store) {
  for (const Entry& entry : store.list({})) {
    const HeldEntry held = store.find(entry.name);
    ASSERT_TRUE(held) << entry.name.key;
    std::vector<fs::path> trees;
    for (const Layer& layer : held->layers) trees.push_back(layer.tree);
    const LayeredTree tree(trees);
    const auto a = tree.find("a");
    const auto b = tree.find("dir/b");
    ASSERT_TRUE(a && b) << entry.name.key;
    EXPECT_EQ(read_file(a->real), read_file(b->real)) << entry.name.key;
  }
}

TEST(LayerStoreCrash, KilledAnywhereTheNextProcessFindsAWholeStore) {
  std::set<std::string> seen;
  for (std::size_t kill_at = 1;; kill_at += test::kStride) {
    // In memory where possible: it is synced once or twice each time.
    const TempDir dir("runner-", fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path());
    const fs::path root = dir.path() / "layers";
    const Outcome outcome = run_child(root, kill_at);
    if (outcome.finished) {
      EXPECT_GT(kill_at, 80U) << "the scenario reaches fewer places than it should";
      EXPECT_TRUE(leaks_of(root).empty()) << ::testing::PrintToString(leaks_of(root));
      break;
    }
    SCOPED_TRACE(outcome.reached.back() + ", the " + std::to_string(kill_at) + ". place");
    seen.insert(outcome.reached.back());
    ManualClock clock;
    {
      const auto store = LayerStore::open(root, clock);
      store->recover();
      const VerifyReport report = store->verify(true);
      for (const VerifyProblem& problem : report.problems) {
        ADD_FAILURE() << problem.path << ": " << problem.what;
      }
      expect_whole_entries(*store);
    }
    ASSERT_TRUE(leaks_of(root).empty()) << ::testing::PrintToString(leaks_of(root));
    {
      // And it goes on from there as if nothing had been.
      const auto store = LayerStore::open(root, clock);
      seal_all(*store);
      commit_tree(*store, name_of("twin"), version("after"));
      seal_all(*store);
      EXPECT_TRUE(store->verify(true).problems.empty());
      expect_whole_entries(*store);
      for (const Entry& entry : store->list({})) store->remove(entry.name, EvictionReason::removed, "");
      EXPECT_EQ(store->collect({}).kept_bytes, 0U);
      store->recover();
    }
    EXPECT_TRUE(leaks_of(root).empty()) << ::testing::PrintToString(leaks_of(root));
    EXPECT_EQ(testing::count_rows(root, "layers"), 0);
    EXPECT_EQ(testing::count_rows(root, "uses"), 0);
    for (const char* folder : {"new", "drafts", "holders", "trash"}) {
      EXPECT_TRUE(names_below(root / folder).empty()) << folder;
    }
  }
  EXPECT_GE(seen.size(), test::kSanitized ? 8U : 20U);
}

/// A tree of equal bytes and times wherever it is made.
void commit_plain(LayerStore& store, const std::string& key) {
  Draft draft = store.begin();
  put(draft.tree() / "file", "same");
  fs::last_write_time(draft.tree() / "file", {});
  fs::last_write_time(draft.tree(), {});
  NewEntry entry;
  entry.name = name_of(key);
  store.commit(entry, std::move(draft));
}

TEST(LayerStoreCrash, LayerKilledWhileItGotItsDigestIsNotTakenForGarbageByItsTwin) {
  const TempDir dir;
  const fs::path root = dir.path() / "layers";
  const ManualClock clock;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    set_failpoint_handler([](std::string_view name) {
      if (name == "layers.exchanged") ::raise(SIGKILL);
    });
    const auto store = LayerStore::open(root, clock);
    commit_plain(*store, "one");
    store->seal_one({});
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  {
    const auto store = LayerStore::open(root, clock);
    const HeldEntry one = store->find(name_of("one"));
    ASSERT_TRUE(one);
    store->remove(name_of("one"), EvictionReason::removed, "");  // held, but nobody hashes it any more
    commit_plain(*store, "two");
    seal_all(*store);
    EXPECT_EQ(read_file(one->layers[0].tree / "file"), "same");
    EXPECT_EQ(store->find(name_of("two"))->layers[0].id, one->layers[0].id);
    store->collect({});
    EXPECT_TRUE(store->verify(true).problems.empty());
    EXPECT_EQ(read_file(store->find(name_of("two"))->layers[0].tree / "file"), "same");
    store->recover();
  }
  EXPECT_TRUE(leaks_of(root).empty()) << ::testing::PrintToString(leaks_of(root));
}

}  // namespace
}  // namespace runner::cache
