// Many jobs on one cache, and jobs that are killed while they save it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <set>
#include <thread>

#include "cache/caches.h"
#include "cache/workspace.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"
#include "tests/support/sanitized.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using testing::leaks_of;
using testing::put;
using testing::Snapshot;
using testing::snapshot_of;

std::vector<fs::path> trees_of(const Entry& entry) {
  std::vector<fs::path> trees;
  for (const Layer& layer : entry.layers) trees.push_back(layer.tree);
  return trees;
}

Snapshot seen(LayerStore& store) {
  const HeldEntry entry = store.peek({Space::cache, "project", "key"});
  return entry ? snapshot_of(LayeredTree(trees_of(*entry))) : Snapshot{};
}

HeldEntry find(Caches& caches) {
  return caches.find("project", std::vector<std::string>{"key"}, {}).hit;
}

SavedCache save(Caches& caches, const fs::path& upper, const fs::path& checkout, const HeldEntry& hit,
                const std::string& path = "dir") {
  CacheSource source{upper, {}, true};
  if (hit) source.lowers = trees_of(*hit);
  source.lowers.push_back(checkout);
  CacheContent content;
  content.paths = {path};
  EntryFacts facts;
  facts.contents = path;
  return caches.save("project", "key", facts, source, content, hit);
}

/// What the files of a tree take on the disk, each counted once however many names it has.
std::uint64_t disk_use(const fs::path& top) {
  std::set<std::pair<dev_t, ino_t>> known;
  std::uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    if (known.emplace(info.st_dev, info.st_ino).second)
      bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

TEST(SharedCache, TwoHundredJobsAtOnceSeeItWholeAndCopyNothing) {
  constexpr int kJobs = 200, kFiles = 100;
  constexpr std::size_t kSize = 400 << 10;
  const TempDir top;
  const SystemClock clock;
  const auto store = LayerStore::open(top.path() / "layers", clock);
  Caches caches(*store);
  const fs::path checkout = top.path() / "checkout";
  put(checkout / "source", "x");
  for (int i = 0; i < kFiles; ++i)
    put(top.path() / "first/dir" / std::to_string(i), std::string(kSize, static_cast<char>('a' + i % 26)));
  save(caches, top.path() / "first", checkout, nullptr);
  const std::uint64_t before = disk_use(top.path());
  ASSERT_GT(before, kFiles * kSize);

  const MountMode mode = probe_mount_mode(top.path() / "probe").mode;
  const bool mounts = mode == MountMode::overlay_root;
  const auto own = [](int number) { return "dir/job-" + std::to_string(number); };
  std::vector<std::unique_ptr<testing::MountedChild>> children(kJobs);
  for (int number = 0; mounts && number < kJobs; number += 20) {
    children[static_cast<std::size_t>(number)] = std::make_unique<testing::MountedChild>([&own, number] {
      if (read_file("dir/7") != std::string(kSize, 'h')) return std::string("content");
      put(own(number), "own");
      fs::remove("dir/3");
      return std::string();
    });
  }
  std::atomic<int> wrong = 0;
  const auto job = [&](int number) {
    HeldEntry hit = find(caches);
    const std::vector<fs::path> under{checkout};
    std::vector<fs::path> lowers = workspace_layers(*store, hit, under);
    lowers.push_back(checkout);
    const auto workspace =
        Workspaces(mounts ? mode : MountMode::overlay_root)
            .create({top.path() / ("job-" + std::to_string(number)), lowers, top.path() / "seen"});
    if (const auto& child = children[static_cast<std::size_t>(number)]) {
      const std::string said = child->run(*workspace);
      if (!said.empty()) ++wrong;
    } else {
      put(workspace->upper() / own(number), "own");
    }
    if (save(caches, workspace->upper(), checkout, hit).result != SavedCache::Result::saved) ++wrong;
  };
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kJobs; ++number) {
      threads.emplace_back([&, number] {
        try {
          job(number);
        } catch (const std::exception& error) {
          std::fprintf(stderr, "job %d: %s\n", number, error.what());
          ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const HeldEntry last = find(caches);
  const LayeredTree tree(trees_of(*last));
  for (int i = 0; i < kFiles; ++i) {
    const auto file = tree.find("dir/" + std::to_string(i));
    if (i == 3 && !file) continue;
    ASSERT_TRUE(file) << i;
    EXPECT_EQ(read_file(file->real), std::string(kSize, static_cast<char>('a' + i % 26)));
  }
  EXPECT_LT(disk_use(top.path()) - before, before);
  EXPECT_TRUE(store->verify(true).problems.empty());
}

#ifdef RUNNER_FAILPOINTS

/// A few saves of all kinds; `after` is called when each is done.
void save_in_all_ways(const fs::path& top, const std::function<void(LayerStore&)>& after) {
  const SystemClock clock;
  const auto store = LayerStore::open(top / "layers", clock);
  Caches caches(*store);
  const fs::path checkout = top / "checkout";
  make_directories(checkout);
  for (int i = 0; i < 8; ++i) put(top / "1/dir/sub" / std::to_string(i), "1");
  put(top / "1/dir/gone", "1");
  save(caches, top / "1", checkout, nullptr);
  after(*store);
  put(top / "2/dir/new", "2");
  if (::mknod((top / "2/dir/gone").c_str(), S_IFCHR, makedev(0, 0)) != 0) ::_exit(3);
  save(caches, top / "2", checkout, find(caches));
  after(*store);
  put(checkout / "dir/gone", "tracked");
  HeldEntry hit = find(caches);
  workspace_layers(*store, hit, std::vector<fs::path>{checkout});
  put(top / "3/dir/sub/0", "3");
  put(top / "3/dir/gone", "3");
  save(caches, top / "3", checkout, find(caches));
  for (int i = 0; i < 8; ++i) put(top / "4/dir/many" / std::to_string(i), "4");
  after(*store);
  save(caches, top / "4", checkout, find(caches));
  after(*store);
  squash_entry(*store, *find(caches));
  put(top / "5/dir/sub/1", "5");
  save(caches, top / "5", checkout, find(caches), "dir/sub");
  after(*store);
}

/// Kills a child at the n-th failpoint. False when it came to its end before.
bool killed_at(const fs::path& top, std::size_t n) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::size_t count = 0;
    set_failpoint_handler([&](std::string_view) {
      if (++count == n) ::raise(SIGKILL);
    });
    try {
      save_in_all_ways(top, [](LayerStore&) {});
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return true;
  EXPECT_EQ(status, 0);
  return false;
}

TEST(SharedCache, AJobKilledWhileItSavesLeavesTheOldEntryOrTheNew) {
  std::vector<Snapshot> versions(1);  // none at first
  {
    const TempDir top;
    save_in_all_ways(top.path(), [&](LayerStore& store) { versions.push_back(seen(store)); });
  }
  ASSERT_EQ(versions.size(), 6U);
  std::size_t kills = 0, oldest = 0;
  for (std::size_t n = 1;; n += test::kStride) {
    const TempDir top;
    if (!killed_at(top.path(), n)) break;
    ++kills;
    const SystemClock clock;
    {
      const auto store = LayerStore::open(top.path() / "layers", clock);
      store->recover();
      const VerifyReport report = store->verify(true);
      EXPECT_TRUE(report.problems.empty()) << n << ": " << report.problems[0].what;
      const Snapshot now = seen(*store);
      const auto version = std::find(versions.begin(), versions.end(), now);
      ASSERT_NE(version, versions.end()) << "killed at failpoint " << n;
      const auto which = static_cast<std::size_t>(version - versions.begin());
      EXPECT_GE(which, oldest) << "a later kill shows an older entry";
      oldest = which;
      store->collect({});
    }
    EXPECT_EQ(leaks_of(top.path() / "layers"), std::vector<std::string>()) << "killed at failpoint " << n;
    const auto store = LayerStore::open(top.path() / "layers", clock);
    Caches caches(*store);
    put(top.path() / "again/dir/x", "again");
    make_directories(top.path() / "checkout");
    EXPECT_EQ(save(caches, top.path() / "again", top.path() / "checkout", find(caches)).result,
              SavedCache::Result::saved);
  }
  EXPECT_GE(kills, 30U / test::kStride);
  EXPECT_TRUE(test::kSanitized || oldest == 5U) << oldest;
}

#endif

}  // namespace
}  // namespace runner::cache
