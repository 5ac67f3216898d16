// Processes of jobs that no daemon will ever ask again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include "runner/base/fd.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;

TEST(JobEnd, AProcessEndsWhenTheDataDirectoryIsRemoved) {
  Served served;
  const TempDir gate;
  served.write(".gitlab-ci.yml", "wait: {script: ['until test -e " + (gate.path() / "open").native() +
                                     "; do sleep 0.01; done']}\n");
  served.commit("first");
  served.add_project();
  served.start();
  fs::path place;
  served.wait_until([&](const auto&) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(served.data() / "jobs", error))
      if (fs::exists(entry.path() / "started")) place = entry.path();
    return !place.empty();
  });
  served.stop();
  const UniqueFd lock(::open((place / "lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(lock);
  EXPECT_NE(::flock(lock.get(), LOCK_EX | LOCK_NB), 0) << "the job goes on without a daemon";
  write_file_atomic(gate.path() / "open", "");
  // It tells how it ended before it cleans up.
  served.wait_until(
      [&](const auto&) { return fs::exists(place / "outcome") && !fs::exists(place / "work"); });
  EXPECT_NE(::flock(lock.get(), LOCK_EX | LOCK_NB), 0) << "it waits for one that asks how it ended";
  remove_tree(served.data() / "jobs");
  served.wait_until([&](const auto&) { return ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0; });
}

}  // namespace
}  // namespace runner::test
