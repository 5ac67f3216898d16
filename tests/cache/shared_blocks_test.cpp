// Copied workspaces on the file systems that can share blocks: real ones, made in a file and mounted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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
using testing::snapshot_of;
using testing::Times;

constexpr int kFiles = 300;
constexpr std::size_t kFileBytes = 64U << 10U;

/// Whether every block of the file is in use by another one too.
bool shares_all_blocks(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  constexpr unsigned kMost = 8;
  alignas(fiemap) std::array<char, sizeof(fiemap) + kMost * sizeof(fiemap_extent)> memory{};
  auto* map = reinterpret_cast<fiemap*>(memory.data());
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = kMost;
  if (!file || ::ioctl(file.get(), FS_IOC_FIEMAP, map) != 0) throw_errno("cannot look at " + path.string());
  bool all = map->fm_mapped_extents > 0;
  for (unsigned i = 0; i < map->fm_mapped_extents; ++i)
    all = all && (map->fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED) != 0;
  return all;
}

std::uint64_t used_bytes(const fs::path& mount_point) {
  const UniqueFd directory(::open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct statfs info {};
  if (!directory || ::syncfs(directory.get()) != 0 || ::fstatfs(directory.get(), &info) != 0)
    throw_errno("cannot look at " + mount_point.string());
  return (info.f_blocks - info.f_bfree) * static_cast<std::uint64_t>(info.f_bsize);
}

/// Runs `body` in a child whose `mount_point` is a new file system; what it returns, or throws, is returned.
std::string on_file_system(const std::string& type, const fs::path& top,
                           const std::function<std::string(const fs::path&)>& body) {
  const fs::path image = top / "image", mount_point = top / "mounted";
  make_directories(mount_point);
  const UniqueFd file(::open(image.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file || ::ftruncate(file.get(), 512 << 20) != 0) throw_errno("cannot make the image");
  const std::string quiet = " >/dev/null 2>&1";
  if (std::system(("PATH=$PATH:/usr/sbin:/sbin mkfs." + type + " -q " + image.string() + quiet).c_str()) != 0)
    return "cannot make it: is the package in packages.txt installed?";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      const bool own =
          ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
      const std::string mount =
          "mount -o loop -t " + type + " " + image.string() + " " + mount_point.string();
      said = own && std::system((mount + quiet).c_str()) == 0 ? body(mount_point) : "skip";
    } catch (const std::exception& error) {
      said = error.what();
    }
    write_file_atomic(top / "said", said, 0644, false);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  return read_file(top / "said").value_or("it died");
}

class SharedBlocks : public ::testing::TestWithParam<const char*> {};

TEST_P(SharedBlocks, ACopiedWorkspaceTakesNoSpaceUntilItIsChanged) {
  const TempDir top;
  const std::string said = on_file_system(GetParam(), top.path(), [](const fs::path& disk) -> std::string {
    const fs::path low = disk / "low";
    for (int i = 0; i < kFiles; ++i) {
      std::string content(kFileBytes, static_cast<char>('a' + i % 26));
      content += std::to_string(i);
      put(low / std::to_string(i % 7) / std::to_string(i), content);
    }
    const std::uint64_t before = used_bytes(disk);
    const auto workspace = Workspaces(MountMode::copy).create({disk / "job", {low}, disk / "seen"});
    const std::uint64_t grown = used_bytes(disk) - std::min(before, used_bytes(disk));
    if (grown > kFiles * kFileBytes / 8) return std::to_string(grown) + " bytes more are in use";
    const std::string wrong =
        first_difference(snapshot_of(workspace->path(), Times::compared), snapshot_of(low, Times::compared));
    if (!wrong.empty()) return wrong;
    for (int i = 0; i < kFiles; ++i) {
      const fs::path copy = workspace->path() / std::to_string(i % 7) / std::to_string(i);
      if (!shares_all_blocks(copy)) return copy.string() + " does not share its blocks";
    }
    put(workspace->path() / "0/0", "the job's");
    const bool kept = read_file(low / "0/0").value_or("").starts_with("aaaa");
    workspace->remove();
    return kept ? "" : "what a job wrote is in the layer";
  });
  if (said == "skip") GTEST_SKIP() << "no file can be mounted here as " << GetParam();
  EXPECT_EQ(said, "");
}

INSTANTIATE_TEST_SUITE_P(On, SharedBlocks, ::testing::Values("btrfs", "xfs"),
                         [](const auto& type) { return std::string(type.param); });

}  // namespace
}  // namespace runner::cache
