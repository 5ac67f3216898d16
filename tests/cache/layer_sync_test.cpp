#include "cache/layer_sync.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "cache/layer_store.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"
#include "tests/support/sync_process.h"

namespace runner::cache {
namespace {
namespace fs = std::filesystem;

using test::hurry_sync;
using testing::commit_tree;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ManualClock;
using testing::name_of;
using testing::names_below;
using testing::put;

constexpr std::chrono::hours kVeryLong{1};

class LayerSyncTest : public ::testing::Test {
 protected:
  ~LayerSyncTest() override { hurry_sync(root()); }
  /// As after a start of the machine that the kernel calls `boot`.
  std::unique_ptr<LayerStore> open(const std::string& boot, std::chrono::milliseconds quiet = {}) const {
    return LayerStore::open(root(), clock_, {boot, quiet, {}});
  }
  void commit(LayerStore& store, const std::string& key) const {
    commit_tree(store, name_of(key), {{"file", key}});
  }
  /// Commits entries, each with a layer, and ends.
  void leave(const std::string& boot, const std::vector<std::string>& keys) const {
    const auto store = open(boot);
    for (const std::string& key : keys) commit(*store, key);
  }
  /// The keys that are found after a start of the machine.
  std::vector<std::string> found_after(const std::string& boot) const {
    const auto store = open(boot);
    std::vector<std::string> found;
    for (const Entry& entry : store->list({})) {
      std::string why;
      if (store->peek(entry.name, &why)) {
        found.push_back(entry.name.key);
      } else {
        EXPECT_EQ(why, "the machine went down before it was written to disk");
      }
    }
    return found;
  }
  /// Commits and asks for a sync that waits very long. Returns its process.
  pid_t start_waiting(LayerStore& store, const std::string& key) const {
    commit(store, key);
    EXPECT_TRUE(store.start_sync());
    for (;;) {
      if (const auto pid = test::sync_process(root())) return *pid;
      ::sched_yield();
    }
  }
  fs::path root() const { return dir_.path() / "layers"; }
  fs::path mark(const std::string& name) const { return root() / "sync" / name; }

  TempDir dir_;
  ManualClock clock_;
};

TEST_F(LayerSyncTest, WhatAMarkSaysIsTrustedAfterTheMachineWentDownAndNothingElse) {
  const std::string large(100'000, '1');
  const struct {
    const char* name;
    const char* content;
    std::vector<std::string> trusted;
  } cases[] = {
      {"one.done", "0\n", {}},
      {"one.done", "1\n", {"a"}},
      {"one.done", "2\n", {"a", "b"}},
      {"one.done", "9223372036854775807\n", {"a", "b"}},
      {"one.done", "99999999999999999999\n", {}},
      {"one.done", "2", {}},
      {"one.done", "", {}},
      {"one.done", "-2\n", {}},
      {"one.done", large.c_str(), {}},
      {"one.done", "two\n", {}},
      {"one.done", "2\n\n\n\n\n\n\n", {"a", "b"}},
      {"one.working", "2\n", {}},
      {"one.wanted", "2\n", {}},
      {"one.done.aB3xYz", "2\n", {}},
      {"other.done", "2\n", {}},
      {"two.done", "2\n", {}},
      {".done", "2\n", {}},
      {"lock", "2\n", {}},
  };
  for (const auto& [name, content, trusted] : cases) {
    SCOPED_TRACE(std::string(name) + ": " + std::string(content).substr(0, 100));
    fs::remove_all(root());
    leave("one", {"a", "b"});
    EXPECT_THAT(found_after("one"), ElementsAre("a", "b"));
    put(mark(name), content);
    EXPECT_EQ(found_after("two"), trusted);
    // Taken over for good.
    EXPECT_EQ(found_after("three"), trusted);
  }
}

TEST_F(LayerSyncTest, LayersAreTrustedAfterARestartOnceTheProcessIsDone) {
  {
    const auto store = open("one");
    EXPECT_FALSE(store->start_sync()) << "there is nothing";
    EXPECT_THAT(names_below(root() / "sync"), IsEmpty());
    commit(*store, "a");
    EXPECT_TRUE(store->start_sync());
  }
  hurry_sync(root());
  EXPECT_THAT(names_below(root() / "sync"), ElementsAre("lock", "one.done"));
  leave("one", {"b"});
  EXPECT_THAT(found_after("two"), ElementsAre("a"));
  const auto store = open("two");
  EXPECT_FALSE(store->start_sync()) << "what is lost cannot be synced";
  EXPECT_THAT(found_after("two"), ElementsAre("a"));
  EXPECT_EQ(store->verify(false).problems.size(), 1U);
  EXPECT_EQ(store->collect({}).evicted.size(), 1U);
  EXPECT_TRUE(store->verify(true).problems.empty());
}

TEST_F(LayerSyncTest, WhatWasCommittedLaterIsTheNextOnes) {
  const auto store = open("one");
  commit(*store, "a");
  EXPECT_TRUE(store->start_sync());
  hurry_sync(root());
  commit(*store, "b");
  EXPECT_TRUE(store->start_sync());
  hurry_sync(root());
  EXPECT_FALSE(store->start_sync());
  EXPECT_EQ(testing::count_rows(root(), "layers WHERE boot IS NOT NULL"), 0);
  EXPECT_THAT(found_after("two"), ElementsAre("a", "b"));
}

TEST_F(LayerSyncTest, OneProcessIsEnoughAndSeesWhatIsWantedLater) {
  const auto store = open("one", kVeryLong);
  const pid_t first = start_waiting(*store, "a");
  const auto other = open("one", kVeryLong);
  commit(*other, "b");
  EXPECT_TRUE(other->start_sync());
  EXPECT_EQ(test::sync_process(root()), first);
  hurry_sync(root());
  EXPECT_THAT(found_after("two"), ElementsAre("a", "b"));
}

TEST_F(LayerSyncTest, WishDuringASyncIsSeenBeforeTheProcessEnds) {
  const auto store = open("one", kVeryLong);
  start_waiting(*store, "a");
  // As if it had begun.
  fs::rename(mark("one.wanted"), mark("one.working"));
  commit(*store, "b");
  EXPECT_TRUE(store->start_sync());
  hurry_sync(root());
  EXPECT_THAT(found_after("two"), ElementsAre("a", "b"));
}

TEST_F(LayerSyncTest, ProcessHoldsNothingOfTheOneThatStartedIt) {
  Pipe pipe = make_pipe();
  ::fcntl(pipe.write.get(), F_SETFD, 0);  // not even what a child is meant to have
  const auto store = open("one", kVeryLong);
  const pid_t pid = start_waiting(*store, "a");
  pipe.write.reset();
  char byte = 0;
  EXPECT_EQ(::read(pipe.read.get(), &byte, 1), 0);
  const fs::path process = "/proc/" + std::to_string(pid);
  EXPECT_THAT(names_below(process / "fd"), ElementsAre("0", "1", "2", "3", "4"));
  for (const char* fd : {"fd/0", "fd/1", "fd/2"})
    EXPECT_EQ(fs::read_symlink(process / fd), "/dev/null") << fd;
  EXPECT_NE(::getsid(pid), ::getsid(0));
  EXPECT_NE(::getpgid(pid), ::getpgrp()) << "signals to the group of its parent must not end it";
  EXPECT_LT(::waitpid(pid, nullptr, WNOHANG), 0) << "it must not be left to its parent to be waited for";
  while (::sched_getscheduler(pid) != SCHED_BATCH) ::sched_yield();
  EXPECT_EQ(fs::read_symlink(process / "cwd"), "/");
  EXPECT_GE(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)), 10);
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
}

TEST_F(LayerSyncTest, KilledProcessHasDoneNothingAndTheNextDoesIt) {
  const auto store = open("one", kVeryLong);
  ::kill(start_waiting(*store, "a"), SIGKILL);
  hurry_sync(root());
  EXPECT_THAT(names_below(root() / "sync"), ElementsAre("lock", "one.wanted"));
  EXPECT_THAT(found_after("two"), IsEmpty());
  EXPECT_TRUE(store->start_sync());
  hurry_sync(root());
  EXPECT_THAT(found_after("two"), ElementsAre("a"));
}

TEST_F(LayerSyncTest, StoreThatIsRemovedMeanwhileIsNotMadeAgain) {
  const auto store = open("one", kVeryLong);
  const pid_t pid = start_waiting(*store, "a");
  const UniqueFd lock(::open(mark("lock").c_str(), O_RDONLY | O_CLOEXEC));
  remove_tree(root());
  ::kill(pid, SIGTERM);
  ASSERT_EQ(::flock(lock.get(), LOCK_SH), 0);
  EXPECT_FALSE(fs::exists(root()));
}

TEST_F(LayerSyncTest, RecoverRemovesWhatKilledProcessesAndEarlierStartsLeft) {
  leave("one", {"a"});
  for (const char* name : {"zero.done", "zero.wanted", "zero.working", "two.wanted.aB3xYz", "two.wanted"})
    put(mark(name), "0\n");
  const auto store = open("two");
  store->recover();
  EXPECT_THAT(names_below(root() / "sync"), ElementsAre("two.wanted", "zero.done"))
      << "what was read from a mark must be on disk before it goes";
  commit(*store, "b");
  store->start_sync();
  hurry_sync(root());
  store->recover();
  EXPECT_THAT(names_below(root() / "sync"), ElementsAre("lock", "two.done"));
}

TEST_F(LayerSyncTest, MarksOfAnIndexThatIsGoneSayNothingOfTheNew) {
  leave("one", {"a", "b"});
  put(mark("one.done"), "2\n");
  for (const char* name : {"index.db", "index.db-wal", "index.db-shm"}) fs::remove(root() / name);
  leave("one", {"c"});
  EXPECT_THAT(found_after("two"), IsEmpty());
}

}  // namespace
}  // namespace runner::cache
