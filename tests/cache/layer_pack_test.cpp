#include "cache/layer_pack.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "tests/cache/layer_trees.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using namespace testing;

std::string packed(const fs::path& tree) {
  std::string out;
  pack_layer(tree, [&out](std::string_view bytes) { out += bytes; });
  return out;
}

ErrorCode code_of_packing(const fs::path& tree, std::string* message = nullptr) {
  try {
    static_cast<void>(packed(tree));
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return error.code();
  }
  return ErrorCode::internal;
}

/// What a program prints, and "exit N" when it fails.
std::string output_of(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "no pipe";
  std::string out(1U << 16U, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), pipe));
  const int status = ::pclose(pipe);
  if (status != 0) out += "exit " + std::to_string(status);
  return out;
}

TEST(LayerPack, AFixedTreeHasAFixedDigest) {
  const TempDir dir;
  make_sample_layer(dir.path());
  if (!has_attributes(dir.path())) GTEST_SKIP() << "the file system has no user attributes";
  // Whoever changes these bytes makes every layer that is stored anywhere a stranger.
  EXPECT_EQ(layer_digest(dir.path()),
            "sha256:ba44b5a3ea4c5e6a0edb420dc063aa62ed69cc8d007f5af9dcdc6d4e2fc33d17");
}

TEST(LayerPack, TheDigestIsThatOfTheStream) {
  const TempDir dir;
  make_sample_layer(dir.path());
  EXPECT_EQ(layer_digest(dir.path()), "sha256:" + sha256_hex(packed(dir.path())));
  EXPECT_EQ(packed(dir.path()).size() % 512, 0U);
}

TEST(LayerPack, EqualTreesGiveEqualBytesInWhateverOrderTheyWereMade) {
  const TempDir one, other;
  for (int i = 0; i < 200; ++i) put(one.path() / "d" / std::to_string(i), std::to_string(i));
  for (int i = 200; i-- > 0;) put(other.path() / "d" / std::to_string(i), std::to_string(i));
  for (const auto* tree : {&one, &other}) {
    for (int i = 0; i < 200; ++i) set_time(tree->path() / "d" / std::to_string(i), 1000, 7);
    set_time(tree->path() / "d", 1000, 8);
  }
  EXPECT_EQ(packed(one.path()), packed(other.path()));
  set_time(other.path() / "d" / "7", 1000, 6);
  EXPECT_NE(layer_digest(one.path()), layer_digest(other.path()));
}

TEST(LayerPack, EverythingThatCountsChangesTheDigest) {
  const TempDir dir;
  make_sample_layer(dir.path());
  std::string before = layer_digest(dir.path());
  const auto changed = [&] {
    std::string now = layer_digest(dir.path());
    const bool is_other = now != before;
    before = std::move(now);
    return is_other;
  };
  fs::permissions(dir.path() / "a-b", fs::perms(0600));
  EXPECT_TRUE(changed());
  fs::remove(dir.path() / "link");
  fs::create_symlink("a/file.tx_", dir.path() / "link");
  set_time(dir.path() / "link", 1'700'000'000, 123'000'000);
  EXPECT_TRUE(changed());
  fs::remove(dir.path() / "gone");
  EXPECT_TRUE(changed());
  fs::remove(dir.path() / "linked.txt");
  put(dir.path() / "linked.txt", "hello\n");
  EXPECT_TRUE(changed());
  if (!has_attributes(dir.path())) return;
  set_attribute(dir.path() / "a" / "file.txt", "user.note", "other");
  EXPECT_TRUE(changed());
  set_attribute(dir.path() / "a", "user.overlay.opaque", "y");
  EXPECT_TRUE(changed());
  set_attribute(dir.path() / "a", "user.overlay.nlink", "2");
  EXPECT_FALSE(changed());
}

TEST(LayerPack, TarCanReadIt) {
  const TempDir dir, out;
  fs::create_directory(dir.path() / "tree");
  make_sample_layer(dir.path() / "tree");
  write_file_atomic(out.path() / "layer.tar", packed(dir.path() / "tree"), 0644, false);
  const std::string listing = output_of("LC_ALL=C TZ=UTC tar --numeric-owner --full-time -tvf " +
                                        (out.path() / "layer.tar").native());
  EXPECT_EQ(listing.find("exit"), std::string::npos) << listing;
  EXPECT_NE(listing.find("drwxr-xr-x 0/0               0 2023-11-14 22:13:20.123 a/\n"), std::string::npos)
      << listing;
  EXPECT_NE(listing.find("linked.txt link to a/file.txt\n"), std::string::npos) << listing;
  EXPECT_NE(listing.find(" link -> a/file.txt\n"), std::string::npos) << listing;
  EXPECT_NE(listing.find(" 0 1970-01-01 00:00:00     .wh.gone\n"), std::string::npos) << listing;
  EXPECT_NE(listing.find(" .wh..wh..wh.lit.gone\n"), std::string::npos) << listing;
  EXPECT_NE(listing.find(" .wh..wh.lit.literal/.wh..wh.lit..wh..opq\n"), std::string::npos) << listing;
  EXPECT_EQ(output_of("mkdir " + (out.path() / "x").native() + " && tar -C " + (out.path() / "x").native() +
                      " -xf " + (out.path() / "layer.tar").native() +
                      " --warning=no-unknown-keyword --warning=no-timestamp"),
            "");
  EXPECT_EQ(read_file(out.path() / "x" / "sparse"), read_file(dir.path() / "tree" / "sparse"));
  EXPECT_EQ(read_file(out.path() / "x" / "latin-\xfc"), "not UTF-8");
}

TEST(LayerPack, BsdtarCanReadIt) {
  if (output_of("bsdtar --version").find("libarchive") == std::string::npos) GTEST_SKIP() << "no bsdtar here";
  const TempDir dir, out;
  make_sample_layer(dir.path());
  write_file_atomic(out.path() / "layer.tar", packed(dir.path()), 0644, false);
  const std::string listing = output_of("LC_ALL=C.UTF-8 bsdtar -tvf " + (out.path() / "layer.tar").native());
  EXPECT_EQ(listing.find("exit"), std::string::npos) << listing;
  EXPECT_NE(listing.find("linked.txt link to a/file.txt\n"), std::string::npos) << listing;
}

TEST(LayerPack, DirectoriesMayBeDeeperThanDescriptorsGo) {
  const TempDir dir;
  UniqueFd directory(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(::mkdirat(directory.get(), "d", 0755), 0);
    directory.reset(::openat(directory.get(), "d", O_RDONLY | O_DIRECTORY));
  }
  directory.reset(::openat(directory.get(), "bottom", O_CREAT | O_WRONLY, 0644));
  ASSERT_TRUE(directory);
  put(dir.path() / "e", "after");
  const std::string stream = packed(dir.path());
  EXPECT_NE(stream.find("d/d/bottom"), std::string::npos);
  EXPECT_NE(stream.find("after"), std::string::npos);
}

TEST(LayerPack, SocketsAndDevicesAreRefusedByName) {
  const TempDir dir;
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (dir.path() / "a socket").native();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::string message;
  EXPECT_EQ(code_of_packing(dir.path(), &message), ErrorCode::invalid_input);
  EXPECT_NE(message.find("'a socket'"), std::string::npos) << message;
}

/// What a job may leave; everything with the same times.
void make_closed_tree(const fs::path& tree) {
  put(tree / "secret", "x");
  put(tree / "closed/in/file", "y");
  put(tree / "listed/file", "z");
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  for (const char* path : {"secret", "closed/in/file", "closed/in", "closed", "listed/file", "listed"})
    ASSERT_EQ(::utimensat(AT_FDCWD, (tree / path).c_str(), times, 0), 0);
  ASSERT_EQ(::chmod((tree / "secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod((tree / "closed/in").c_str(), 0111), 0);
  ASSERT_EQ(::chmod((tree / "closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod((tree / "listed").c_str(), 0444), 0);
}

TEST(LayerPack, WhatItsOwnerMayNotReadIsPackedAndStaysClosed) {
  const TempDir dir, other;
  make_closed_tree(dir.path());
  const fs::path tree = other.path() / "tree";
  make_directories(tree);
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::chmod(other.path().c_str(), 0755), 0);
  if (root) {
    ASSERT_EQ(::chown(tree.c_str(), kNobody, kNobody), 0);
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (root && (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0))
      ::_exit(2);
    std::string said;
    try {
      make_closed_tree(tree);
      said = layer_digest(tree);
    } catch (const Error& error) {
      said = error.what();
    }
    struct stat info {};
    if (::stat((tree / "secret").c_str(), &info) != 0 || (info.st_mode & 07777U) != 0) said += " opened file";
    if (::stat((tree / "closed").c_str(), &info) != 0 || (info.st_mode & 07777U) != 0) said += " opened dir";
    if (::stat((tree / "listed").c_str(), &info) != 0 || (info.st_mode & 07777U) != 0444U)
      said += " opened list";
    write_file_atomic(tree / "said", said, 0644, false);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(read_file(tree / "said"), layer_digest(dir.path()));
}

TEST(LayerPack, AMissingTreeIsNamed) {
  std::string message;
  EXPECT_EQ(code_of_packing("/no/such/tree", &message), ErrorCode::not_found);
  EXPECT_NE(message.find("/no/such/tree"), std::string::npos) << message;
}

TEST(LayerPack, StopIsAskedAlsoInsideABigFile) {
  const TempDir dir;
  put(dir.path() / "big", "");
  fs::resize_file(dir.path() / "big", 64UL << 20U);
  int asked = 0;
  std::uint64_t given = 0;
  try {
    pack_layer(
        dir.path(), [&given](std::string_view bytes) { given += bytes.size(); },
        [&asked] { return ++asked > 5; });
    FAIL() << "was not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_LT(given, 4UL << 20U);
}

/// A file that changes while its tree is packed: the sink is called in between.
void pack_while(const fs::path& tree, const std::function<void()>& change) {
  bool done = false;
  pack_layer(tree, [&](std::string_view) {
    if (!std::exchange(done, true)) change();
  });
}

TEST(LayerPack, AFileThatBecomesShorterOrLongerIsAConflict) {
  const TempDir dir;
  put(dir.path() / "a", "");
  for (const std::uint64_t size :
       {1UL << 20U, (1UL << 20U) + 1, (256UL << 10U) * 3 - 512, (1UL << 20U) - 511}) {
    for (const std::uint64_t later : {size - 1, size + 1}) {
      fs::resize_file(dir.path() / "a", size);
      try {
        pack_while(dir.path(), [&] { fs::resize_file(dir.path() / "a", later); });
        FAIL() << size << " became " << later << " and nobody said so";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::conflict) << error.what();
      }
    }
    fs::resize_file(dir.path() / "a", size);
    set_time(dir.path() / "a", 1000, 0);
    EXPECT_EQ(packed(dir.path()).size(), 512 + (size + 511) / 512 * 512 + 1024);
  }
}

}  // namespace
}  // namespace runner::cache
