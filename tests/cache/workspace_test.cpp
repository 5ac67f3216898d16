#include "cache/workspace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <random>

#include "runner/base/error.h"
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
using testing::why_not_mounted;

struct WorkspaceTest : ::testing::TestWithParam<MountMode> {
  void SetUp() override {
    if (const std::string why = why_not_mounted(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
  fs::path at(const char* name) const { return top.path() / name; }
  std::unique_ptr<Workspace> create(std::vector<fs::path> lowers, std::size_t linkable = 0) const {
    return Workspaces(GetParam()).create({at("job"), std::move(lowers), at("seen/here"), linkable});
  }
  TempDir top;
};

INSTANTIATE_TEST_SUITE_P(Modes, WorkspaceTest,
                         ::testing::Values(MountMode::overlay_root, MountMode::overlay_user, MountMode::copy),
                         [](const ::testing::TestParamInfo<MountMode>& mode) {
                           return std::string(mode.param == MountMode::overlay_root   ? "AsRoot"
                                              : mode.param == MountMode::overlay_user ? "InUserNamespace"
                                                                                      : "ByCopy");
                         });

TEST_P(WorkspaceTest, AJobSeesTheMergedLayersAndLeavesThemAlone) {
  put(at("low/shared/below"), "low");
  put(at("low/hidden/file"), "low");
  put(at("low/both"), "low");
  put(at("top/both"), "top");
  put(at("top/shared/above"), "top");
  ASSERT_EQ(::mknod(at("top/hidden").c_str(), S_IFCHR, makedev(0, 0)), 0);
  ASSERT_EQ(::chmod(at("top").c_str(), 0751), 0);
  const Snapshot before = snapshot_of(at("low"), Times::compared);

  const auto workspace = create({at("top"), at("low")});
  EXPECT_EQ(workspace->overlay().has_value(), GetParam() != MountMode::copy);
  const std::string said = run_mounted(*workspace, [&] {
    struct stat info {};
    if (::stat(".", &info) != 0 || (info.st_mode & 07777U) != 0751) return std::string("mode of the top");
    if (fs::exists("hidden")) return std::string("hidden is seen");
    if (read_file("both") != "top" || read_file("shared/below") != "low") return std::string("content");
    put("both", "job");
    put("shared/below", "job");
    fs::remove_all("shared/above");
    put("hidden/new", "job");
    return std::string();
  });
  EXPECT_EQ(said, "");
  EXPECT_EQ(snapshot_of(at("low"), Times::compared), before);
  const Snapshot expected = {{"both", "file 420 job"},
                             {"hidden", "directory 493"},
                             {"hidden/new", "file 420 job"},
                             {"shared", "directory 493"},
                             {"shared/below", "file 420 job"}};
  EXPECT_EQ(snapshot_of(workspace->tree()), expected);
  EXPECT_TRUE(fs::exists(workspace->upper() / "hidden/new"));
  workspace->remove();
  workspace->remove();
  EXPECT_FALSE(fs::exists(at("job")));
}

TEST_P(WorkspaceTest, AThousandArtifactLayersFitIntoOneMount) {
  std::vector<fs::path> lowers;
  for (int i = 0; i < 300; ++i) {
    const fs::path layer = top.path() / ("artifacts-of-job-" + std::to_string(i));
    put(layer / "who", std::to_string(i));
    put(layer / "all" / std::to_string(i), "");
    lowers.push_back(layer);
  }
  put(at("checkout/who"), "checkout");
  put(at("checkout/source"), "kept");
  lowers.push_back(at("checkout"));
  const auto workspace = create(lowers, 300);
  const std::string said = run_mounted(*workspace, [] {
    if (read_file("who") != "0")
      return "the topmost layer does not win: " + read_file("who").value_or("none");
    if (read_file("source") != "kept") return std::string("checkout is missing");
    const auto count = std::distance(fs::directory_iterator("all"), fs::directory_iterator());
    return count == 300 ? std::string() : std::to_string(count) + " files";
  });
  EXPECT_EQ(said, "");
}

TEST_P(WorkspaceTest, HighStacksStillHideWhatTheyHid) {
  std::vector<fs::path> lowers;
  for (int i = 0; i < 300; ++i) {
    const fs::path layer = top.path() / ("delta\n" + std::string(200, 'x') + std::to_string(i));
    put(layer / "d" / std::to_string(i), "");
    if (i % 2 == 0) {  // hides what the next one has
      ASSERT_EQ(::mknod((layer / "d" / std::to_string(i + 1)).c_str(), S_IFCHR, makedev(0, 0)), 0);
    }
    lowers.push_back(layer);
  }
  ASSERT_EQ(::mknod((lowers[299] / "gone").c_str(), S_IFCHR, makedev(0, 0)), 0);
  ASSERT_EQ(::mknod((lowers[299] / "d/never").c_str(), S_IFCHR, makedev(0, 0)), 0);
  make_directories(lowers[298] / "opaque");
  ASSERT_EQ(::setxattr((lowers[298] / "opaque").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  put(at("checkout/gone"), "checkout");
  put(at("checkout/opaque/old"), "checkout");
  put(at("checkout/d/300"), "checkout");
  lowers.push_back(at("checkout"));
  const Snapshot before = snapshot_of(at("checkout"), Times::compared);

  const auto workspace = create(lowers, 300);
  const Snapshot expected = snapshot_of(LayeredTree(lowers), Times::compared);
  EXPECT_EQ(first_difference(snapshot_of(workspace->tree(), Times::compared), expected), "");
  const std::string said = run_mounted(*workspace, [&] {
    if (fs::exists("gone") || fs::exists("opaque/old")) return std::string("hidden files are seen");
    const std::string wrong = first_difference(snapshot_of(fs::path("."), Times::compared), expected);
    if (!wrong.empty()) return wrong;
    put("gone", "again");
    fs::remove_all("d");
    put("opaque/old", "job");
    return std::string();
  });
  EXPECT_EQ(said, "");
  const Snapshot after = {
      {"gone", "file 420 again"}, {"opaque", "directory 493"}, {"opaque/old", "file 420 job"}};
  EXPECT_EQ(first_difference(snapshot_of(workspace->tree()), after), "");
  EXPECT_EQ(snapshot_of(at("checkout"), Times::compared), before);
}

TEST_P(WorkspaceTest, StacksAsHighAsTheKernelTakesAreMounted) {
  std::vector<fs::path> lowers;
  for (int i = 0; i < 501; ++i) {
    lowers.push_back(top.path() / std::to_string(i));
    put(lowers.back() / std::to_string(i), "");
  }
  if (GetParam() != MountMode::copy) {
    try {
      create(lowers);
      FAIL() << "one too many";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("501 layers"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(at("job")));
  }
  lowers.pop_back();
  const auto workspace = create(lowers);
  const std::string said = run_mounted(*workspace, [] {
    const auto count = std::distance(fs::directory_iterator("."), fs::directory_iterator());
    return count == 500 ? std::string() : std::to_string(count) + " files";
  });
  EXPECT_EQ(said, "");
}

TEST_P(WorkspaceTest, OneLayerMayBeGivenTwiceUnderTwoNames) {
  put(at("a/file"), "a");
  put(at("b/file"), "b");
  put(at("b/other"), "b");
  put(at("low/file"), "low");
  fs::create_directory_symlink(at("a"), at("second name"));
  const auto workspace = create({at("a"), at("b"), at("second name"), at("a"), at("low"), at("low")}, 3);
  const std::string said = run_mounted(*workspace, [] {
    return read_file("file") == "a" && fs::exists("other") ? std::string() : std::string("wrong order");
  });
  EXPECT_EQ(said, "");
}

TEST_P(WorkspaceTest, WhatCannotBeMadeLeavesNothing) {
  EXPECT_THROW(create({at("missing")}), Error);
  EXPECT_FALSE(fs::exists(at("job")));
  EXPECT_THROW(create({}), Error);
  EXPECT_FALSE(fs::exists(at("job")));
}

TEST(MountProbe, FindsTheBestModeAndLeavesNothing) {
  const TempDir top;
  const MountProbe probe = probe_mount_mode(top.path() / "work");
  EXPECT_TRUE(fs::is_empty(top.path() / "work"));
  if (probe.mode == MountMode::copy) {
    EXPECT_NE(probe.why, "");
  } else {
    EXPECT_EQ(probe.mode == MountMode::overlay_root, ::geteuid() == 0 && probe.why.empty());
  }
}

TEST(MountProbe, IsRememberedUntilTheCircumstancesChange) {
  const TempDir top;
  const fs::path work = top.path() / "work", memory = top.path() / "memory";
  const MountProbe probe = probe_mount_mode(work);
  if (probe.mode == MountMode::copy || !probe.why.empty()) GTEST_SKIP() << "no overlay here: " << probe.why;
  const auto inode = [&] {
    struct stat info {};
    return ::stat(memory.c_str(), &info) == 0 ? info.st_ino : 0;
  };
  EXPECT_EQ(recall_mount_mode(work, memory).mode, probe.mode);
  const auto first = read_file(memory);
  ASSERT_TRUE(first);
  const auto kept = inode();
  EXPECT_EQ(recall_mount_mode(work, memory).mode, probe.mode);
  EXPECT_EQ(inode(), kept);  // a second try would have written it anew
  write_file_atomic(memory, "another start of the machine\n", 0600, false);
  EXPECT_EQ(recall_mount_mode(work, memory).mode, probe.mode);
  EXPECT_EQ(read_file(memory), first);
  EXPECT_TRUE(fs::is_empty(work));
}

// --- random operations -------------------------------------------------------------------------------------

/// One step of a job, done to the workspace (relative to the working directory) and to a plain directory.
class RandomJob {
 public:
  RandomJob(unsigned seed, fs::path model) : random_(seed), model_(std::move(model)) {}

  void step() {
    const std::string path = pick();
    const std::string other = pick();
    switch (random_() % 9) {
      case 0:
      case 1:
        return both([&](const fs::path& top) { return write(top / path, path + std::to_string(count_)); });
      case 2:
        return both([&](const fs::path& top) { return ::mkdir((top / path).c_str(), 0755); });
      case 3:
        return both([&](const fs::path& top) { return ::unlink((top / path).c_str()); });
      case 4:
        return both([&](const fs::path& top) { return remove_all(top / path); });
      case 5:
        return both(
            [&](const fs::path& top) { return ::rename((top / path).c_str(), (top / other).c_str()); });
      case 6:
        return both([&](const fs::path& top) { return ::symlink(other.c_str(), (top / path).c_str()); });
      case 7: {
        const mode_t mode = random_() % 2 == 0 ? 0755 : 0700;
        return both([&](const fs::path& top) {
          return is_link(top / path) ? 0 : ::chmod((top / path).c_str(), mode);
        });
      }
      default:
        return both([&](const fs::path& top) {  // a directory becomes a file
          remove_all(top / path);
          return write(top / path, "replaced");
        });
    }
  }

 private:
  static bool is_link(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
  }
  static int write(const fs::path& path, const std::string& content) {
    if (is_link(path)) return -1;  // would lead out of one tree into another
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    const auto put = ::write(fd, content.data(), content.size());
    ::close(fd);
    return put < 0 ? -1 : 0;
  }
  static int remove_all(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    return 0;
  }

  template <typename Do>
  void both(const Do& act) {
    ++count_;
    // Directories of lower layers cannot be renamed in place: tools copy then, which is another step here.
    if (act(fs::path(".")) != 0 && errno == EXDEV) return;
    act(model_);
  }

  std::string pick() {
    static constexpr const char* kNames[] = {"a", "b", "c", "d"};
    std::string path = kNames[random_() % 4];
    for (auto depth = random_() % 3; depth > 0; --depth) path += std::string("/") + kNames[random_() % 4];
    return path;
  }

  std::mt19937 random_;
  fs::path model_;
  int count_ = 0;
};

TEST_P(WorkspaceTest, RandomJobsLookTheSameFromOutside) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    const TempDir place;
    const fs::path model = place.path() / "model";
    make_directories(model);
    for (const char* layer : {"low", "middle"}) {
      for (const char* path : {"a/a/a", "a/b", "b/c/d", "c", "d/d/d"})
        put(place.path() / layer / path, layer);
    }
    fs::remove_all(place.path() / "middle/b");
    fs::copy(place.path() / "low", model, fs::copy_options::recursive);
    fs::copy(place.path() / "middle", model,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    const auto workspace = Workspaces(GetParam())
                               .create({place.path() / "job",
                                        {place.path() / "middle", place.path() / "low"},
                                        place.path() / "seen"});
    const std::string said = run_mounted(*workspace, [&] {
      RandomJob job(seed, model);
      for (int step = 0; step < 400; ++step) {
        job.step();
        if (step % 8 != 0) continue;
        const Snapshot inside = snapshot_of(fs::path("."));
        const std::string against_model = first_difference(snapshot_of(model), inside);
        if (!against_model.empty()) return "model, step " + std::to_string(step) + ": " + against_model;
        const std::string outside = first_difference(snapshot_of(fs::path("."), Times::compared),
                                                     snapshot_of(workspace->tree(), Times::compared));
        if (!outside.empty()) return "outside, step " + std::to_string(step) + ": " + outside;
      }
      return std::string();
    });
    ASSERT_EQ(said, "") << "seed " << seed;
    ASSERT_EQ(first_difference(snapshot_of(model), snapshot_of(workspace->tree())), "") << "seed " << seed;
    workspace->remove();
  }
}

}  // namespace
}  // namespace runner::cache
