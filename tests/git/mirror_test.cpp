#include "runner/git/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "tests/git/git_fixture.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

struct MirrorTest : ::testing::Test, testing::GitFixture {
  void SetUp() override {
    init();
    write("a", "1");
    first = commit("first");
  }

  fs::path place() const { return top() / "mirrors/project.git"; }
  std::unique_ptr<Mirror> fetched(const std::string& url = {}) const {
    auto mirror = Mirror::open(place());
    mirror->fetch(request(url));
    return mirror;
  }
  FetchRequest request(const std::string& url = {}) const {
    FetchRequest request;
    request.access.url = url.empty() ? work().string() : url;
    return request;
  }
  std::string error_of(const FetchRequest& request) const {
    try {
      Mirror::open(place())->fetch(request);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string first;
};

TEST_F(MirrorTest, BringsBranchesAndTagsAndResolvesNames) {
  run("git tag -a -m x v1 && git branch feature/x");
  const std::string tag = run("git rev-parse v1");
  const auto mirror = fetched("file://" + work().string());
  EXPECT_THAT(mirror->refs("refs/"),
              UnorderedElementsAre(Pair("refs/heads/feature/x", first), Pair("refs/heads/main", first),
                                   Pair("refs/tags/v1", tag)));
  for (const std::string name : {"main", "feature/x", "v1", "refs/heads/main", "HEAD"})
    EXPECT_EQ(mirror->resolve(name), first) << name;
  EXPECT_EQ(mirror->resolve(first.substr(0, 10)), first);
  EXPECT_EQ(mirror->resolve("nothing"), "");
  EXPECT_EQ(mirror->resolve("--all"), "");
  EXPECT_EQ(mirror->default_branch(), "main");
  EXPECT_EQ(run("git fsck 2>&1", place()), "");
}

TEST_F(MirrorTest, RefsThatAreGoneGoAndDirectoriesOfThemMakePlace) {
  run("git branch topic && git branch deep/er && git tag old");
  fetched();
  run("git branch -D topic deep/er && git tag -d old && git branch topic/one && git branch deep");
  write("a", "2");
  const std::string second = commit("second");
  const auto mirror = fetched();
  EXPECT_THAT(mirror->refs("refs/"),
              UnorderedElementsAre(Pair("refs/heads/topic/one", first), Pair("refs/heads/deep", first),
                                   Pair("refs/heads/main", second)));
}

TEST_F(MirrorTest, AForcedPushIsTakenAndOldCommitsStay) {
  fetched();
  run("git commit -q --amend -m other");
  const auto mirror = fetched();
  EXPECT_EQ(mirror->resolve("main"), run("git rev-parse HEAD"));
  EXPECT_TRUE(mirror->has_commit(first));
}

TEST_F(MirrorTest, NothingIsFetchedForACommitThatIsThere) {
  fetched();
  FetchRequest gone = request("/nowhere/at/all");
  gone.wanted = first;
  EXPECT_EQ(error_of(gone), "");
  gone.wanted = std::string(40, '1');
  EXPECT_THAT(error_of(gone), HasSubstr("cannot fetch from '/nowhere/at/all'"));
}

TEST_F(MirrorTest, ErrorsHoldNoCredentialsAndSayWhatHelps) {
  const std::string missing = error_of(request("file:///nowhere/project.git"));
  EXPECT_THAT(missing, HasSubstr("file:///nowhere/project.git"));
  EXPECT_THAT(missing, HasSubstr("check that the repository is there"));
  const std::string refused = error_of(request("http://user:geheim@127.0.0.1:1/group/project.git"));
  EXPECT_THAT(refused, HasSubstr("'http://127.0.0.1:1/group/project.git'"));
  EXPECT_THAT(refused, Not(HasSubstr("geheim")));
  EXPECT_THAT(refused, HasSubstr("check the address"));
  EXPECT_THAT(error_of(request("--upload-pack=touch x")), HasSubstr("no address"));
}

TEST_F(MirrorTest, StaleLocksAndHalfPacksOfKilledProcessesGo) {
  fetched();
  const fs::path stale[] = {place() / "HEAD.lock", place() / "packed-refs.lock",
                            place() / "refs/heads/main.lock", place() / "objects/pack/pack_git2_half"};
  for (const fs::path& path : stale) write_file_atomic(path, "x", 0644, false);
  write("a", "2");
  const std::string second = commit("second");
  EXPECT_EQ(fetched()->resolve("main"), second);
  for (const fs::path& path : stale) EXPECT_FALSE(fs::exists(path)) << path;
}

TEST_F(MirrorTest, AnEmptyRepositoryHasAnEmptyMirror) {
  const fs::path empty = top() / "empty";
  make_directories(empty);
  run("git init -q -b trunk .", empty);
  const auto mirror = fetched(empty.string());
  EXPECT_THAT(mirror->refs("refs/"), IsEmpty());
  EXPECT_EQ(mirror->resolve("HEAD"), "");
}

TEST_F(MirrorTest, AStoppedFetchSaysSo) {
  FetchRequest stopped = request();
  std::stop_source source;
  source.request_stop();
  stopped.stop = source.get_token();
  EXPECT_THAT(error_of(stopped), HasSubstr("was stopped"));
}

TEST_F(MirrorTest, ARepositoryOfThisMachineIsTakenByLinks) {
  run("git repack -adq && git tag v1 && git update-ref refs/remotes/origin/other HEAD");
  write("a", "2");
  const std::string second = commit("second");
  const auto mirror = Mirror::open(place());
  mirror->take_local(work() / ".git", second);
  EXPECT_THAT(mirror->refs("refs/heads/"),
              UnorderedElementsAre(Pair("refs/heads/main", second), Pair("refs/heads/other", first)));
  EXPECT_EQ(mirror->resolve("v1"), first);
  EXPECT_EQ(run("git fsck 2>&1; find objects -type f -links 1", place()), "");
  run("git checkout -q -b side && git branch -D main");
  write("a", "3");
  const std::string third = commit("third");
  mirror->take_local(work() / ".git", third);
  EXPECT_EQ(mirror->resolve("side"), third);
  EXPECT_EQ(mirror->resolve("main"), "");
}

TEST_F(MirrorTest, WhatCameAndWentSinceACommitWasTakenIsSeen) {
  run("git branch gone");
  const auto mirror = Mirror::open(place());
  mirror->take_local(work() / ".git", first);
  run("git branch -D gone && git branch other && git tag -a -m text v1");
  mirror->take_local(work() / ".git", first);
  EXPECT_THAT(mirror->refs("refs/heads/"),
              UnorderedElementsAre(Pair("refs/heads/main", first), Pair("refs/heads/other", first)));
  EXPECT_EQ(run("git cat-file -t v1", place()), "tag");
  EXPECT_EQ(run("git fsck 2>&1", place()), "");
}

TEST_F(MirrorTest, AProcessKilledWhileItTakesARepositoryIsMadeUpFor) {
  run("git branch a && git branch z && git tag v1");
  for (const std::string point : {"mirror.linked", "mirror.refs"}) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      set_failpoint_handler([&](std::string_view name) {
        if (name == point) ::raise(SIGKILL);
      });
      Mirror::open(place())->take_local(work() / ".git", first);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << point;
  }
  const auto mirror = Mirror::open(place());
  mirror->take_local(work() / ".git", first);
  EXPECT_EQ(mirror->refs("refs/heads/").size(), 3U);
  EXPECT_EQ(mirror->resolve("v1"), first);
}

TEST_F(MirrorTest, ObjectsThatARepositoryBorrowsAreTakenToo) {
  const fs::path borrower = top() / "borrower";
  run("git clone -q -s '" + work().string() + "' '" + borrower.string() + "'", top());
  const auto mirror = Mirror::open(place());
  mirror->take_local(borrower / ".git", first);
  EXPECT_EQ(run("git fsck 2>&1; git log --oneline main | wc -l", place()), "1");
}

TEST_F(MirrorTest, FetchesAtTheSameTimeAllSucceed) {
  for (int i = 0; i < 20; ++i) run("git branch b" + std::to_string(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { fetched(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Mirror::open(place())->refs("refs/heads/").size(), 21U);
}

TEST_F(MirrorTest, AProcessKilledAnywhereLeavesAMirrorThatWorks) {
  run("git branch gone");
  for (const std::string point :
       {"mirror.made", "mirror.linking", "mirror.linked", "mirror.downloaded", "mirror.refs"}) {
    remove_tree(place());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      set_failpoint_handler([&](std::string_view name) {
        if (name == point) ::raise(SIGKILL);
      });
      fetched();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << point;
    EXPECT_EQ(fetched()->refs("refs/").size(), 2U) << point;
    EXPECT_EQ(run("git fsck 2>&1", place()), "") << point;
  }
  run("git branch -D gone");
  EXPECT_EQ(fetched()->refs("refs/").size(), 1U);
}

}  // namespace
}  // namespace runner::git
