// What only copies can get wrong, and what only a user who is not root meets.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using testing::first_difference;
using testing::put;
using testing::run_mounted;
using testing::Snapshot;
using testing::snapshot_of;
using testing::Times;

TEST(CopiedWorkspace, KeepsModesTimesLinksAndHoles) {
  const TempDir top;
  const fs::path low = top.path() / "low";
  put(low / "dir/file", "content");
  put(low / "locked/inner", "x");
  fs::create_symlink("../nowhere", low / "dir/dangling");
  fs::create_symlink(low, low / "dir/loop");
  fs::create_hard_link(low / "dir/file", low / "twin");
  ASSERT_EQ(::mkfifo((low / "fifo").c_str(), 0600), 0);
  {
    std::ofstream sparse(low / "sparse");
    sparse.seekp(1 << 24);
    sparse << "end";
  }
  ASSERT_EQ(::chmod((low / "dir/file").c_str(), 04711), 0);
  ASSERT_EQ(::chmod((low / "locked").c_str(), 0555), 0);
  const Snapshot expected = snapshot_of(low, Times::compared);
  const auto workspace = Workspaces(MountMode::copy).create({top.path() / "job", {low}, top.path() / "seen"});
  EXPECT_EQ(first_difference(snapshot_of(workspace->path(), Times::compared), expected), "");
  struct stat one {
  }, other{}, original{}, sparse{};
  ASSERT_EQ(::stat((workspace->path() / "twin").c_str(), &one), 0);
  ASSERT_EQ(::stat((workspace->path() / "dir/file").c_str(), &other), 0);
  ASSERT_EQ(::stat((low / "twin").c_str(), &original), 0);
  ASSERT_EQ(::stat((workspace->path() / "sparse").c_str(), &sparse), 0);
  EXPECT_EQ(one.st_ino, other.st_ino);
  EXPECT_NE(one.st_ino, original.st_ino);
  EXPECT_EQ(sparse.st_size, (1 << 24) + 3);
  EXPECT_LT(sparse.st_blocks * 512, 1 << 20);
  workspace->remove();
}

TEST(CopiedWorkspace, KeepsAttributesOfTheUserButNoneOfOverlays) {
  const TempDir top;
  const fs::path low = top.path() / "low";
  put(low / "dir/file", "content");
  for (const char* path : {"dir", "dir/file"}) {
    ASSERT_EQ(::setxattr((low / path).c_str(), "user.color", "red", 3, 0), 0);
    ASSERT_EQ(::setxattr((low / path).c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  }
  const auto workspace = Workspaces(MountMode::copy).create({top.path() / "job", {low}, top.path() / "seen"});
  for (const char* path : {"dir", "dir/file"}) {
    char value[8] = {};
    const fs::path copy = workspace->path() / path;
    EXPECT_EQ(::getxattr(copy.c_str(), "user.color", value, sizeof value), 3) << path;
    EXPECT_STREQ(value, "red");
    EXPECT_EQ(::getxattr(copy.c_str(), "user.overlay.opaque", value, sizeof value), -1) << path;
  }
}

TEST(CopiedWorkspace, HoldsManyFilesCopiedByManyHands) {
  const TempDir top;
  const fs::path low = top.path() / "low";
  for (int i = 0; i < 3000; ++i) {
    const fs::path file = low / std::to_string(i % 7) / (std::to_string(i) + "\n" + std::string(240, 'n'));
    put(file, std::string(static_cast<std::size_t>(i), 'x'));
    if (i % 10 == 0) fs::create_hard_link(file, low / ("twin" + std::to_string(i)));
  }
  const auto workspace = Workspaces(MountMode::copy).create({top.path() / "job", {low}, top.path() / "seen"});
  EXPECT_EQ(
      first_difference(snapshot_of(workspace->path(), Times::compared), snapshot_of(low, Times::compared)),
      "");
  struct stat one {
  }, other{};
  ASSERT_EQ(::stat((workspace->path() / "twin2990").c_str(), &one), 0);
  ASSERT_EQ(::stat((workspace->path() / "1" / ("2990\n" + std::string(240, 'n'))).c_str(), &other), 0);
  EXPECT_EQ(one.st_ino, other.st_ino);
}

TEST(CopiedWorkspace, OnAFullDiskNamesTheDiskAndLeavesNothing) {
  const TempDir top;
  const fs::path low = top.path() / "low", small = top.path() / "small\ndisk";
  for (int i = 0; i < 400; ++i) put(low / std::to_string(i % 5) / std::to_string(i), std::string(8192, 'x'));
  make_directories(small);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("none", small.c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted) ::_exit(2);
    std::string said;
    try {
      Workspaces(MountMode::copy).create({small / "jobs/1", {low}, top.path() / "seen"});
      said = "it fits";
    } catch (const Error& error) {
      said = error.what();
      if (error.code() != ErrorCode::unavailable) said = "wrong code";
    }
    if (fs::exists(small / "jobs/1")) said = "something was left";
    write_file_atomic(top.path() / "said", said, 0644, false);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "no tmpfs can be mounted here";
  const std::string said = read_file(top.path() / "said").value_or("nothing");
  EXPECT_NE(said.find("while making workspace '"), std::string::npos) << said;
  EXPECT_NE(said.find("disk' (tmpfs, 0 B free of 1.0 MiB) is full: cannot"), std::string::npos) << said;
}

TEST(CopiedWorkspace, OfAVanishedLayerSaysWhichAndLeavesNothing) {
  const TempDir top;
  put(top.path() / "low/file", "");
  try {
    Workspaces(MountMode::copy)
        .create({top.path() / "job", {top.path() / "low", top.path() / "gone"}, top.path() / "seen"});
    FAIL() << "a layer is missing";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("gone'"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(top.path() / "job"));
}

/// Runs `body` as another user than root; skipped where that cannot be.
std::string run_as_user(const fs::path& owned, const std::function<std::string()>& body) {
  constexpr uid_t kSomebody = 12345;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(owned))
    if (::lchown(entry.path().c_str(), kSomebody, kSomebody) != 0) return "skip";
  if (::chown(owned.c_str(), kSomebody, kSomebody) != 0) return "skip";
  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said = "skip";
    if (::setgroups(0, nullptr) == 0 && ::setresgid(kSomebody, kSomebody, kSomebody) == 0 &&
        ::setresuid(kSomebody, kSomebody, kSomebody) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0) {
      try {
        said = body();
      } catch (const std::exception& error) {
        said = error.what();
      }
    }
    write_all(pipe.write.get(), said);
    ::_exit(0);
  }
  pipe.write.reset();
  std::string said;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  ::waitpid(child, nullptr, 0);
  return said;
}

TEST(WorkspaceOfAnotherUser, SeesTheSameInBothModes) {
  for (const MountMode mode : {MountMode::overlay_user, MountMode::copy}) {
    const TempDir top;
    const auto at = [&](const std::string& name) { return top.path() / name; };
    std::vector<fs::path> lowers;
    for (int i = 0; i < 80; ++i) {
      lowers.push_back(at(std::to_string(i)));
      put(lowers.back() / "all" / std::to_string(i), std::to_string(i));
    }
    make_directories(lowers[79] / "opaque");
    put(at("low/gone"), "");
    put(at("low/opaque/old"), "");
    put(at("low/secret"), "of nobody");
    put(at("low/closed/inner"), "");
    ASSERT_EQ(::chmod(at("low/secret").c_str(), 0), 0);
    ASSERT_EQ(::chmod(at("low/closed").c_str(), 0), 0);
    const std::string said = run_as_user(top.path(), [&] {
      // Whiteouts and marks of their own making.
      if (::mknod((lowers[79] / "gone").c_str(), S_IFCHR, makedev(0, 0)) != 0) return std::string("mknod");
      if (::setxattr((lowers[79] / "opaque").c_str(), "user.overlay.opaque", "y", 1, 0) != 0)
        return std::string("setxattr");
      if (mode == MountMode::overlay_user && probe_mount_mode(at("work")).mode != mode)
        return std::string("skip");
      std::vector<fs::path> stack = lowers;
      stack.push_back(at("low"));
      const auto workspace = Workspaces(mode).create({at("job"), stack, at("seen"), lowers.size()});
      const std::string wrong = run_mounted(*workspace, [&] {
        if (fs::exists("gone") || fs::exists("opaque/old")) return std::string("hidden files are seen");
        if (std::distance(fs::directory_iterator("all"), fs::directory_iterator()) != 80)
          return std::string("not all are there");
        if (::access("secret", F_OK) != 0 || ::access("secret", R_OK) == 0) return std::string("secret");
        put("opaque/new", "job");
        return std::string();
      });
      if (!wrong.empty()) return wrong;
      if (!workspace->tree().find("opaque/new")) return std::string("the job's file is not seen");
      workspace->remove();
      return fs::exists(at("job")) ? std::string("something was left") : std::string();
    });
    if (said == "skip") GTEST_SKIP() << "not root, or no user namespaces here";
    EXPECT_EQ(said, "") << to_string(mode);
  }
}

}  // namespace
}  // namespace runner::cache
