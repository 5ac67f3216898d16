// Repositories of this machine as remotes, mirrors that were damaged, and what many polls leave behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "runner/base/failpoint.h"
#include "runner/git/mirror.h"
#include "tests/git/git_fixture.h"
#include "tests/git/git_server.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::size_t count_of(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory)) ++count;
  return count;
}

struct RemoteLocalTest : ::testing::Test, testing::GitFixture {
  void SetUp() override {
    init();
    for (const char* text : {"1", "2", "3"}) {
      write("a", text);
      last = commit(text);
    }
    run("git repack -adq && git tag -a -m x v1");
  }
  fs::path place() const { return top() / "mirrors/project.git"; }
  FetchRequest request() const {
    FetchRequest request;
    request.access.url = "file://" + work().string();
    return request;
  }
  FetchResult fetch() const { return Mirror::open(place())->fetch(request()); }
  std::string fsck() const { return run("git fsck --no-dangling 2>&1", place()); }

  std::string last;
};

TEST_F(RemoteLocalTest, TheFirstFetchLinksPacksAndLaterOnesBringLittle) {
  EXPECT_EQ(fetch().bytes, 0U);
  EXPECT_EQ(run("find objects -name '*.pack' -links 2 | wc -l; find refs -type f", place()), "1");
  write("a", "4");
  const std::string next = commit("4");
  run("git repack -adq");
  EXPECT_GT(fetch().bytes, 0U);
  EXPECT_EQ(Mirror::open(place())->resolve("main"), next);
  EXPECT_EQ(fsck(), "");
}

// As a commit that comes while links are made leaves it, or a kill in the middle of them.
TEST_F(RemoteLocalTest, ACommitThatIsThereWithoutItsTreeIsMadeWhole) {
  for (const bool packed : {true, false}) {
    if (!packed) {
      run("mv .git/objects/pack/*.pack ../p && rm -f .git/objects/pack/* && git unpack-objects -q < ../p && "
          "rm ../p");
      run("rm -rf '" + place().string() + "'");
    }
    fetch();
    write("a", packed ? "4" : "5");
    const std::string next = commit("next");
    const std::string at = next.substr(0, 2) + "/" + next.substr(2);
    run("mkdir -p '" + place().string() + "/objects/" + next.substr(0, 2) + "' && cp .git/objects/" + at +
        " '" + place().string() + "/objects/" + at + "'");
    fetch();
    EXPECT_EQ(Mirror::open(place())->resolve("main"), next);
    EXPECT_EQ(fsck(), "") << packed;
    EXPECT_EQ(run("git cat-file -t main^{tree}", place()), "tree") << packed;
  }
}

TEST_F(RemoteLocalTest, FilesOfAnotherUserAreCopied) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  run("chown -R 65534 .git");
  fetch();
  EXPECT_EQ(run("find objects -type f -links +1; find objects -type f -uid 65534", place()), "");
  EXPECT_EQ(fsck(), "");
}

TEST_F(RemoteLocalTest, ALinkToAnotherFileIsNoObject) {
  run("cd .git/objects/pack && chmod u+w *.pack && mv *.pack ../elsewhere && ln -s ../elsewhere $(ls *.idx | "
      "sed s/idx/pack/)");
  EXPECT_THAT(error_of([&] { fetch(); }), HasSubstr("cannot read"));
}

TEST_F(RemoteLocalTest, WhatIsPackedWhileItIsLinkedIsFoundAgain) {
  write("a", "loose");
  commit("loose");
  int rounds = 0;
  set_failpoint_handler([&](std::string_view name) {
    if (name == "mirror.linking" && rounds++ < 3) run("git commit -q --allow-empty -m x && git repack -adq");
  });
  fetch();
  set_failpoint_handler({});
  EXPECT_EQ(rounds, 4);
  EXPECT_EQ(fsck(), "");
}

TEST_F(RemoteLocalTest, AWaitForTheLockIsInterrupted) {
  fetch();
  FetchRequest waits = request();
  std::stop_source source;
  waits.stop = source.get_token();
  FetchRequest holds = request();
  std::string error;
  write("a", "5");
  commit("5");
  holds.progress = [&](const FetchProgress&) {
    if (!error.empty()) return;
    std::thread waiter([&] { error = error_of([&] { Mirror::open(place())->fetch(waits); }); });
    source.request_stop();
    waiter.join();
  };
  Mirror::open(place())->fetch(holds);
  EXPECT_THAT(error, AllOf(StartsWith("cancelled: "), HasSubstr("it was stopped")));
}

TEST_F(RemoteLocalTest, ManyPollsLeaveNoDescriptorAndNoThread) {
  testing::GitServer server({"http", top().string(), (top() / "requests").string()});
  const std::string http = "http://127.0.0.1:" + server.port();
  const auto poll = [&](int i) {
    RemoteAccess access;
    // Refused, redirected, broken off, local ones, and some that git answers.
    constexpr const char* kKinds[] = {"/status/404/x", "/early/x", "/garbage/x", "/login/x"};
    access.url = i % 30 == 0  ? http + "/plain/work/.git"
                 : i % 5 == 4 ? work().string()
                              : http + kKinds[i % 5];
    return error_of([&] { list_refs(access, {}); });
  };
  for (int i = 0; i < 5; ++i) poll(i);
  const std::size_t files = count_of("/proc/self/fd"), threads = count_of("/proc/self/task");
  for (int i = 0; i < 300; ++i) ASSERT_EQ(poll(i).empty(), i % 5 == 4 || i % 30 == 0) << i;
  EXPECT_EQ(count_of("/proc/self/fd"), files);
  EXPECT_LE(count_of("/proc/self/task"), threads);
}

TEST_F(RemoteLocalTest, RefsAreListedWithTheirTagsPeeled) {
  run("git branch feature/x && git update-ref refs/merge-requests/3/head HEAD && git pack-refs --all && "
      "git branch loose && git symbolic-ref refs/remotes/origin/HEAD refs/heads/main && "
      "git symbolic-ref refs/remotes/origin/gone refs/heads/gone && git worktree add -q ../other loose");
  const std::string tag = run("git rev-parse v1");
  RemoteAccess access;
  for (const std::string& place :
       {work().string(), "file://" + work().string() + "/.git", (top() / "other").string()}) {
    access.url = place;
    const RemoteRefs found = list_refs(access, {});
    EXPECT_THAT(
        found.refs,
        ElementsAre(RemoteRef{"refs/heads/feature/x", last, ""}, RemoteRef{"refs/heads/loose", last, ""},
                    RemoteRef{"refs/heads/main", last, ""}, RemoteRef{"refs/merge-requests/3/head", last, ""},
                    RemoteRef{"refs/remotes/origin/HEAD", last, ""}, RemoteRef{"refs/tags/v1", tag, last}))
        << place;
  }
  access.url = work().string();
  EXPECT_EQ(list_refs(access, {}).default_branch, "main");
  access.url = "/nowhere/at/all";
  EXPECT_THAT(error_of([&] { list_refs(access, {}); }), StartsWith("not_found: "));
}

}  // namespace
}  // namespace runner::git
