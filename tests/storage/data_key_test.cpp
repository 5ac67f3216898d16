#include "runner/storage/data_key.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "runner/base/failpoint.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

namespace fs = std::filesystem;

class DataKey : public testing::Test {
 protected:
  void put(const std::string& content, mode_t mode = 0600) const {
    write_file_atomic(path_, content, mode, false);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(dir_.path())) found.push_back(entry.path().filename());
    return found;
  }
  TempDir dir_;
  fs::path path_ = dir_.path() / "data.key";
};

TEST_F(DataKey, NewOneIsPrivateAndIsReadAgain) {
  const Secret made = make_data_key(path_);
  EXPECT_EQ(made.size(), kDataKeySize);
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(read_data_key(path_).text(), made.text());
  EXPECT_EQ(read_or_make_data_key(path_).text(), made.text());
  EXPECT_EQ(names(), std::vector<std::string>{"data.key"});
}

TEST_F(DataKey, OneThatIsThereIsNeverReplaced) {
  const Secret made = make_data_key(path_);
  EXPECT_TRUE(fails_with(ErrorCode::conflict,
                         "cannot make the data key '" + path_.string() + "': there is one already",
                         [&] { make_data_key(path_); }));
  EXPECT_EQ(read_data_key(path_).text(), made.text());
  EXPECT_EQ(names(), std::vector<std::string>{"data.key"}) << "nothing is left";
}

TEST_F(DataKey, MissingOneIsNotMadeByReading) {
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "'" + path_.string() + "' is not there: put it back",
                         [&] { read_data_key(path_); }));
  EXPECT_TRUE(names().empty());
}

TEST_F(DataKey, OneThatOthersMayUseIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0777U}) {
    put(std::string(kDataKeySize, 'k'), mode);
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "chmod 600 " + path_.string(), [&] {
      read_data_key(path_);
    })) << mode;
    EXPECT_THROW(read_or_make_data_key(path_), Error) << "nor is it replaced";
  }
  put(std::string(kDataKeySize, 'k'), 0400);
  EXPECT_NO_THROW(read_data_key(path_));
}

TEST_F(DataKey, OneOfAnotherLengthIsRefused) {
  for (const std::size_t size : {0U, 1U, 31U, 33U, 100'000U}) {
    put(std::string(size, 'k'));
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input,
                           "has " + std::to_string(size) + " bytes instead of 32: put the right file there",
                           [&] { read_data_key(path_); }));
  }
}

TEST_F(DataKey, OneOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  put(std::string(kDataKeySize, 'k'));
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "belongs to user 65534, who could read it: chown it to 0",
                         [&] { read_data_key(path_); }));
}

TEST_F(DataKey, WhatIsNoFileIsRefusedAndStopsNobody) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "is not a regular file", [&] { read_data_key(path_); }));
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "is not a regular file", [&] { read_data_key(path_); }));
}

TEST_F(DataKey, WithoutItsDirectoryItsNameIsSaid) {
  const fs::path path = dir_.path() / "none" / "data.key";
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "cannot make the data key '" + path.string() + "'",
                         [&] { make_data_key(path); }));
}

TEST_F(DataKey, ManyWhoMakeItAtOnceGetTheSame) {
  std::vector<Secret> keys(8);
  std::vector<std::thread> threads;
  for (Secret& key : keys) threads.emplace_back([&] { key = read_or_make_data_key(path_); });
  for (auto& thread : threads) thread.join();
  for (const Secret& key : keys) EXPECT_EQ(key.text(), keys[0].text());
  EXPECT_EQ(names(), std::vector<std::string>{"data.key"});
}

#ifdef RUNNER_FAILPOINTS
TEST_F(DataKey, KilledMakerLeavesAWholeKeyOrNone) {
  for (const char* const name : {"data_key.synced", "data_key.named"}) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      set_failpoint_handler([&](std::string_view reached) {
        if (reached == name) ::_exit(7);
      });
      make_data_key(path_);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << name;
    EXPECT_EQ(fs::exists(path_), name == std::string("data_key.named"));
    EXPECT_EQ(read_or_make_data_key(path_).size(), kDataKeySize);
    fs::remove(path_);
  }
}
#endif

}  // namespace
}  // namespace runner::storage
