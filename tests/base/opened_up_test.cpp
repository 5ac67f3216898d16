// Readers that meet in what a job closed to its owner.
#include "runner/base/opened_up.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner {
namespace {

/// This thread alone; root no longer reads what it has no permission for.
bool give_up_the_right_to_read_all() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  data[0].effective &= ~((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH));
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0);
  return info.st_mode & 07777U;
}

class OpenedUpTest : public testing::Test {
 protected:
  OpenedUpTest() {
    std::filesystem::create_directories(tree_.path() / "d");
    write_file_atomic(tree_.path() / "d" / "f", "content");
    ::chmod((tree_.path() / "d" / "f").c_str(), 0);
    ::chmod((tree_.path() / "d").c_str(), 0);
  }
  ~OpenedUpTest() override { ::chmod((tree_.path() / "d").c_str(), 0700); }

  const TempDir tree_{"runner-opened-up"};
};

TEST_F(OpenedUpTest, EveryReaderSeesAllAndTheModesAsTheyWereLeft) {
  constexpr int kReaders = 4, kRounds = 2'000;
  std::atomic<int> wrong_modes{0}, unread{0}, without_rights{0};
  std::vector<std::thread> readers;
  const UniqueFd top(::open(tree_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      if (!give_up_the_right_to_read_all()) ++without_rights;
      for (int round = 0; round < kRounds; ++round) {
        struct stat directory {
        }, file{};
        int error = 0;
        const auto open_directory = OpenedUp::look(top.get(), "d", directory, error);
        const auto open_file = OpenedUp::look(top.get(), "d/f", file, error);
        if (error != 0 || ((directory.st_mode | file.st_mode) & 07777U) != 0) ++wrong_modes;
        const UniqueFd content(::openat(top.get(), "d/f", O_RDONLY | O_CLOEXEC));
        if (!content) ++unread;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(without_rights, 0);
  EXPECT_EQ(wrong_modes, 0);
  EXPECT_EQ(unread, 0);
  EXPECT_EQ(mode_of(tree_.path() / "d"), 0U);
}

TEST_F(OpenedUpTest, TheLastOneClosesIt) {
  struct stat info {};
  int error = 0;
  const std::string path = (tree_.path() / "d").native();
  auto first = OpenedUp::look(AT_FDCWD, path, info, error);
  auto second = OpenedUp::look(AT_FDCWD, path, info, error);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(mode_of(path), 0500U);
  first.reset();
  EXPECT_EQ(mode_of(path), 0500U);
  second.reset();
  EXPECT_EQ(mode_of(path), 0U);
}

TEST_F(OpenedUpTest, WhatIsOpenOrGoneIsLeftAlone) {
  write_file_atomic(tree_.path() / "open", "");
  struct stat info {};
  int error = 0;
  EXPECT_FALSE(OpenedUp::look(AT_FDCWD, (tree_.path() / "open").native(), info, error));
  EXPECT_EQ(error, 0);
  EXPECT_FALSE(OpenedUp::look(AT_FDCWD, (tree_.path() / "none").native(), info, error));
  EXPECT_EQ(error, ENOENT);
}

}  // namespace
}  // namespace runner
