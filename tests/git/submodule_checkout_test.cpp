#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "runner/base/error.h"
#include "runner/git/submodules.h"
#include "tests/git/checkout_fixture.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using cache::testing::first_difference;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using cache::testing::snapshot_of;
using testing::files_of;

struct SubmoduleCheckoutTest : testing::CheckoutFixture {
  /// project (work) -> libs/one -> inner; project -> two.
  void make_projects() {
    for (const std::string name : {"inner", "one", "two"}) {
      make_directories(top() / name);
      run("git init -q -b main . && echo " + name + " > file.txt && git add -A && git commit -qm " + name,
          top() / name);
    }
    const std::string add = "git -c protocol.file.allow=always submodule --quiet add ";
    run(add + "../inner deep/inner && git commit -qm inner", top() / "one");
    run(add + "../one libs/one && " + add + "--name odd/name ../two two && git commit -qm modules");
    head = run("git rev-parse HEAD");
  }

  CheckoutRequest request_with(SubmoduleStrategy strategy) {
    CheckoutRequest request = request_of(head);
    request.submodules = strategy;
    request.submodule_mirror = [this](const std::string& url, const std::string& wanted) {
      auto module = Mirror::open(top() / "mirrors" / (fs::path(url).filename().string() + ".git"));
      FetchRequest fetch_request;
      fetch_request.access.url = url;
      fetch_request.wanted = wanted;
      module->fetch(fetch_request);
      return module;
    };
    return request;
  }

  std::string error_of(const CheckoutRequest& request) {
    try {
      checkout_layers(*mirror, request, *store);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string head;
};

TEST_F(SubmoduleCheckoutTest, WithoutAStrategyTheirDirectoriesAreEmpty) {
  make_projects();
  fetch();
  const CheckoutLayers layers = checkout_layers(*mirror, request_of(head), *store);
  EXPECT_EQ(job(layers, "find libs two; git status --porcelain; git submodule status | cut -c1"),
            "libs\nlibs/one\ntwo\n-\n-");
}

TEST_F(SubmoduleCheckoutTest, NormalAndRecursiveAreAsGitMakesThem) {
  make_projects();
  fetch();
  const CheckoutLayers normal = checkout_layers(*mirror, request_with(SubmoduleStrategy::normal), *store);
  EXPECT_EQ(job(normal, "find . -name file.txt | sort; git status --porcelain"),
            "./libs/one/file.txt\n./two/file.txt");
  const CheckoutLayers recursive =
      checkout_layers(*mirror, request_with(SubmoduleStrategy::recursive), *store);
  const fs::path clone = top() / "clone";
  run("git -c protocol.file.allow=always clone -q --recurse-submodules '" + work().string() + "' '" +
          clone.string() + "'",
      top());
  EXPECT_EQ(first_difference(seen(recursive), files_of(snapshot_of(clone))), "");
  for (const std::string question :
       {"git submodule status --recursive | sed 's/ (.*//'",
        "git -C libs/one/deep/inner rev-parse HEAD --show-toplevel | sed 's,/.*,,'",
        "git submodule foreach -q --recursive 'git status --porcelain; git fsck --no-dangling 2>&1'",
        "git status --porcelain", "cat two/.git libs/one/deep/inner/.git",
        "find .git/modules -name HEAD -path '*/HEAD' | grep -v logs | grep -v refs | sort"}) {
    EXPECT_EQ(job(recursive, question), run(question, clone)) << question;
  }
  EXPECT_EQ(checkout_layers(*mirror, request_with(SubmoduleStrategy::recursive), *store).lowers,
            recursive.lowers);
}

TEST_F(SubmoduleCheckoutTest, PathsChooseAndDepthIsTheirOwn) {
  make_projects();
  fetch();
  CheckoutRequest request = request_with(SubmoduleStrategy::normal);
  request.submodule_paths = {"libs"};
  request.submodule_depth = 1;
  const CheckoutLayers layers = checkout_layers(*mirror, request, *store);
  EXPECT_EQ(job(layers, "find . -name file.txt; git -C libs/one log --oneline | wc -l"),
            "./libs/one/file.txt\n1");
}

TEST_F(SubmoduleCheckoutTest, OneThatCannotBeHadIsNamed) {
  make_projects();
  fs::rename(top() / "two", top() / "elsewhere");
  fetch();
  EXPECT_THAT(error_of(request_with(SubmoduleStrategy::normal)),
              HasSubstr("submodule 'two': cannot fetch from '" + (top() / "two").string() + "'"));
  make_directories(top() / "two");
  run("git init -q -b main . && git commit -q --allow-empty -m x", top() / "two");
  EXPECT_THAT(error_of(request_with(SubmoduleStrategy::normal)), HasSubstr("push it there"));
}

TEST(Gitmodules, AreReadAsGitReadsThem) {
  const auto found = parse_gitmodules(
      "# c\n[submodule \"a b\"]\n\tpath = \"x y\"/z ; c\n  URL = ../q#c\n[other]\npath=n\n"
      "[submodule \"q\\\"t\"]\n\tpath=p\\\n/r\n\turl = https://h/x\n[submodule \"none\"]\nurl=x\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name + "|" + found[0].path + "|" + found[0].url, "a b|x y/z|../q");
  EXPECT_EQ(found[1].name + "|" + found[1].path + "|" + found[1].url, "q\"t|p/r|https://h/x");
}

TEST(Gitmodules, ThatClimbOrCarryOptionsAreRefused) {
  for (const std::string text :
       {"[submodule \"../x\"]\npath=a\nurl=b", "[submodule \"a/../../x\"]\npath=a\nurl=b",
        "[submodule \"x\"]\npath=../a\nurl=b", "[submodule \"x\"]\npath=/a\nurl=b",
        "[submodule \"x\"]\npath=a/.GIT/hooks\nurl=b", "[submodule \"x\"]\npath=a\nurl=--upload-pack=touch",
        "[submodule \"x\"]\npath=a\nurl=ext::sh", "[submodule \"x\"]\npath=-a\nurl=b",
        "[submodule \"..\\\\..\\\\x\"]\npath=a\nurl=b"}) {
    EXPECT_THROW(parse_gitmodules(text), Error) << text;
  }
}

TEST(Gitmodules, RelativeUrlsCountFromTheProject) {
  EXPECT_EQ(resolve_submodule_url("https://h/g/p.git", "../q.git"), "https://h/g/q.git");
  EXPECT_EQ(resolve_submodule_url("https://h/g/p.git/", "../../o/q/"), "https://h/o/q");
  EXPECT_EQ(resolve_submodule_url("git@h:g/p.git", "../q.git"), "git@h:g/q.git");
  EXPECT_EQ(resolve_submodule_url("git@h:p.git", "../q.git"), "git@h:q.git");
  EXPECT_EQ(resolve_submodule_url("/srv/p", "./q"), "/srv/p/q");
  EXPECT_EQ(resolve_submodule_url("/srv/p", "https://h/x"), "https://h/x");
  EXPECT_THROW(resolve_submodule_url("https://h/p", "../../../x"), Error);
}

TEST(Gitmodules, PathsMayBeChosenAndLeftOut) {
  EXPECT_TRUE(is_chosen("a/b", {}));
  const std::vector<std::string> take = {"a", "*.x"}, leave = {":(exclude)a", ":!c/*"};
  EXPECT_TRUE(is_chosen("a/b", take));
  EXPECT_TRUE(is_chosen("q.x", take));
  EXPECT_FALSE(is_chosen("ab", take));
  EXPECT_FALSE(is_chosen("a/b", leave));
  EXPECT_FALSE(is_chosen("c/d", leave));
  EXPECT_TRUE(is_chosen("d", leave));
}

class LfsCheckoutTest : public testing::CheckoutFixture {
 protected:
  ~LfsCheckoutTest() override {
    if (!path_.empty()) ::setenv("PATH", path_.c_str(), 1);
  }
  void install_tool(const std::string& script) {
    make_directories(top() / "bin");
    write_file_atomic(top() / "bin/git-lfs", "#!/bin/sh\n" + script, 0755, false);
    path_ = std::getenv("PATH");
    ::setenv("PATH", ((top() / "bin").string() + ":" + path_).c_str(), 1);
  }
  std::string commit_pointers(int count) {
    write(".gitattributes", "*.bin filter=lfs -text\n");
    for (int i = 0; i < count; ++i)
      write("f" + std::to_string(i) + ".bin",
            "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::to_string(i) + "\nsize 5\n");
    write("plain.bin", "no pointer");
    return commit("pointers");
  }

 private:
  std::string path_;
};

TEST_F(LfsCheckoutTest, WithoutTheToolThePointersAreNamed) {
  const std::string first = commit_pointers(7);
  const CheckoutLayers layers = checkout(first);
  const auto named = HasSubstr(
      "git-lfs is not installed, so these files hold pointers, not their content: f0.bin, "
      "f1.bin, f2.bin, f3.bin, f4.bin and 2 more; install git-lfs");
  EXPECT_THAT(layers.notices, ElementsAre(named));
  EXPECT_THAT(checkout(first).notices, ElementsAre(named));
  run("git rm -q f0.bin f1.bin && echo x > f2.bin");
  EXPECT_THAT(checkout(commit("fewer")).notices,
              ElementsAre(HasSubstr("f3.bin, f4.bin, f5.bin, f6.bin; install")));
  CheckoutRequest skip = request_of(first);
  skip.lfs = false;
  EXPECT_THAT(checkout_layers(*mirror, skip, *store).notices, IsEmpty());
}

TEST_F(LfsCheckoutTest, TheToolWritesTheContent) {
  install_tool("grep -q oid && echo \"$1 $3 of $(basename $GIT_DIR) $GIT_CONFIG_VALUE_0\"\n");
  const CheckoutLayers layers = checkout(commit_pointers(1));
  EXPECT_THAT(layers.notices, IsEmpty());
  EXPECT_EQ(read_file(LayeredTree(layers.lowers).find("f0.bin")->real),
            "smudge f0.bin of project.git " + work().string() + "\n");
  EXPECT_EQ(read_file(LayeredTree(layers.lowers).find("plain.bin")->real), "no pointer");
}

TEST_F(LfsCheckoutTest, WhatTheToolSaysIsTold) {
  install_tool("echo 'no such object' >&2; exit 2\n");
  const std::string first = commit_pointers(1);
  try {
    checkout(first);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("git-lfs cannot fetch 'f0.bin': no such object; GIT_LFS_SKIP_SMUDGE=true"));
  }
}

}  // namespace
}  // namespace runner::git
