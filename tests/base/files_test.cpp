#include "runner/base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/fd.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  return fs::symlink_status(path).type() != fs::file_type::not_found;
}

TEST(Files, ReadsWholeFilesAndTellsMissingOnes) {
  const TempDir dir;
  write_file_atomic(dir.path() / "a", std::string("x\0y", 3), 0600);
  EXPECT_EQ(read_file(dir.path() / "a"), std::string("x\0y", 3));
  EXPECT_EQ(read_file(dir.path() / "none"), std::nullopt);
  EXPECT_EQ(read_file(dir.path() / "a" / "b"), std::nullopt);
  write_file_atomic(dir.path() / "empty", "", 0600, false);
  EXPECT_EQ(read_file(dir.path() / "empty"), "");
}

TEST(Files, ReadRefusesWhatIsTooLargeOrNoFile) {
  const TempDir dir;
  write_file_atomic(dir.path() / "a", "12345", 0600, false);
  EXPECT_EQ(read_file(dir.path() / "a", 5), "12345");
  EXPECT_THROW(read_file(dir.path() / "a", 4), Error);
  EXPECT_THROW(read_file(dir.path()), Error);
  ASSERT_EQ(::mkfifo((dir.path() / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(read_file(dir.path() / "pipe"), Error);
}

TEST(Files, AtomicWriteReplacesAndSetsTheMode) {
  const TempDir dir;
  const fs::path file = dir.path() / "f";
  write_file_atomic(file, "old", 0600);
  write_file_atomic(file, "new", 0755);
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms(0755));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(Files, FailedAtomicWriteLeavesNothing) {
  const TempDir dir;
  make_directories(dir.path() / "target" / "x");
  EXPECT_THROW(write_file_atomic(dir.path() / "target", "content"), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
  EXPECT_THROW(write_file_atomic(dir.path() / "none" / "f", "content"), Error);
}

TEST(Files, MakeDirectoriesIsIdempotentAndRefusesFiles) {
  const TempDir dir;
  make_directories(dir.path() / "a/b/c");
  make_directories(dir.path() / "a/b/c/");
  EXPECT_TRUE(fs::is_directory(dir.path() / "a/b/c"));
  write_file_atomic(dir.path() / "file", "", 0600, false);
  EXPECT_THROW(make_directories(dir.path() / "file"), Error);
  EXPECT_THROW(make_directories(dir.path() / "file" / "x"), Error);
}

TEST(Files, DirectoriesAreMadeWhileOthersRemoveThem) {
  const TempDir dir;
  const fs::path path = dir.path() / "a/b";
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) {
      ::rmdir(path.c_str());
      ::rmdir(path.parent_path().c_str());
    }
  });
  for (int i = 0; i < 5'000; ++i) EXPECT_NO_THROW(make_directories(path));
  stop = true;
  other.join();
}

TEST(Files, RemoveTreeTakesEveryKindAndFollowsNoLink) {
  const TempDir dir;
  const fs::path kept = dir.path() / "kept";
  make_directories(kept);
  write_file_atomic(kept / "f", "x", 0600, false);
  const fs::path tree = dir.path() / "tree";
  make_directories(tree / "a/b");
  write_file_atomic(tree / "a/f", "x", 0000, false);
  fs::create_directory_symlink(kept, tree / "a/out");
  fs::create_symlink("nowhere", tree / "dangling");
  ASSERT_EQ(::mkfifo((tree / "pipe").c_str(), 0600), 0);
  remove_tree(tree / "none");
  remove_tree(tree);
  EXPECT_FALSE(is_there(tree));
  EXPECT_TRUE(is_there(kept / "f"));
  fs::create_directory_symlink(kept, dir.path() / "link");
  remove_tree(dir.path() / "link");
  EXPECT_FALSE(is_there(dir.path() / "link"));
  EXPECT_TRUE(is_there(kept / "f"));
  remove_tree((kept / "").string());
  EXPECT_FALSE(is_there(kept));
}

/// Runs `body` in a process that is not root: for root no directory is closed. True when it did not throw.
template <typename Body>
bool succeeds_without_root(const fs::path& own, const Body& body) {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && ::chown(own.c_str(), kNobody, kNobody) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
    try {
      body();
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Files, RemoveTreeOpensUpWhatAJobClosed) {
  const TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  EXPECT_TRUE(succeeds_without_root(dir.path(), [&] {
    const fs::path tree = dir.path() / "tree";
    make_directories(tree / "unreadable/in");
    make_directories(tree / "unwritable/in");
    make_directories(tree / "closed/in");
    write_file_atomic(tree / "unwritable/in/f", "x", 0400, false);
    write_file_atomic(tree / "closed/in/f", "x", 0400, false);
    write_file_atomic(tree / "closed/f", "x", 0400, false);
    for (const auto* path : {"unwritable/in", "closed/in", "closed", "unreadable", "unwritable", "."}) {
      ::chmod((tree / path).c_str(), std::string_view(path).substr(0, 2) == "un" ? 0500 : 0000);
    }
    remove_tree(tree);
    if (is_there(tree)) throw Error(ErrorCode::internal, "it is still there");
  }));
}

TEST(Files, RemoveTreeSurvivesDeepNesting) {
  const TempDir dir;
  UniqueFd current(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(::mkdirat(current.get(), "d", 0755), 0);
    current.reset(::openat(current.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(current);
  }
  current.reset();
  remove_tree(dir.path() / "d");
  EXPECT_FALSE(is_there(dir.path() / "d"));
}

TEST(Files, TempDirIsPrivateAndMoves) {
  fs::path path;
  {
    TempDir first("prefix-");
    path = first.path();
    EXPECT_EQ(path.filename().string().rfind("prefix-", 0), 0U);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0700));
    TempDir second = std::move(first);
    EXPECT_EQ(second.path(), path);
    TempDir third;
    const fs::path replaced = third.path();
    third = std::move(second);
    EXPECT_FALSE(is_there(replaced));
    EXPECT_TRUE(is_there(path));
  }
  EXPECT_FALSE(is_there(path));
  EXPECT_THROW(TempDir("x", fs::path("/nonexistent/parent")), Error);
}

TEST(Descriptors, HaveOneOwner) {
  Pipe pipe = make_pipe();
  const int number = pipe.read.get();
  UniqueFd moved = std::move(pipe.read);
  EXPECT_EQ(moved.get(), number);
  EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  moved.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_FALSE(moved);
  const int given = pipe.write.release();
  EXPECT_FALSE(pipe.write);
  EXPECT_EQ(::close(given), 0);
}

TEST(Descriptors, WriteAllReportsFailure) {
  Pipe pipe = make_pipe();
  write_all(pipe.write.get(), "abc");
  char text[3];
  EXPECT_EQ(::read(pipe.read.get(), text, 3), 3);
  const UniqueFd read_only(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THROW(write_all(read_only.get(), "x"), Error);
}

TEST(Descriptors, WakeUpStaysUntilCleared) {
  const WakeUp wake;
  pollfd poll_for{wake.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&poll_for, 1, 0), 0);
  wake.signal();
  wake.signal();
  EXPECT_EQ(::poll(&poll_for, 1, 0), 1);
  wake.clear();
  EXPECT_EQ(::poll(&poll_for, 1, 0), 0);
  wake.clear();
}

TEST(Errors, KeepCodeCauseAndContexts) {
  try {
    throw_errno(ENOENT, "cannot open 'x'");
  } catch (Error& error) {
    error.add_context("while reading");
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.system(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(error.what(), "while reading: cannot open 'x': No such file or directory");
  }
  const std::vector<std::pair<int, ErrorCode>> codes = {{EEXIST, ErrorCode::conflict},
                                                        {ENOSPC, ErrorCode::unavailable},
                                                        {ETIMEDOUT, ErrorCode::timeout},
                                                        {EIO, ErrorCode::internal}};
  for (const auto& [number, code] : codes) {
    try {
      throw_errno(number, "x");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << number;
    }
  }
  EXPECT_EQ(to_string(ErrorCode::not_found), "not_found");
}

}  // namespace
}  // namespace runner
