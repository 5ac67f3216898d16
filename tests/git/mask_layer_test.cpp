#include "runner/git/mask_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/workspace.h"
#include "runner/base/error.h"
#include "tests/cache/trees.h"
#include "tests/git/git_fixture.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using cache::MountMode;
using cache::testing::first_difference;
using cache::testing::run_mounted;
using cache::testing::Snapshot;
using cache::testing::snapshot_of;
using cache::testing::Times;
using cache::testing::why_not_mounted;
using ::testing::HasSubstr;

/// A job over a working tree: mounted at the tree's own path, or copied.
struct MaskLayerTest : ::testing::TestWithParam<MountMode>, testing::GitFixture {
  void SetUp() override {
    if (const std::string why = why_not_mounted(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }

  std::unique_ptr<cache::Workspace> workspace_over(const fs::path& directory) {
    const auto repository = LocalRepository::open(directory);
    const bool copied = GetParam() == MountMode::copy;
    const fs::path mask = top() / "mask";
    EXPECT_TRUE(make_mask_layer(*repository, mask, copied ? ObjectAccess::alternate : ObjectAccess::below));
    return cache::Workspaces(GetParam())
        .create({top() / "job", {mask, repository->root()}, repository->root(), 0});
  }

  /// The output of a shell script in a job; the tree and its repository are the same afterwards.
  std::string job(const fs::path& directory, const std::string& script) {
    // A git that shares objects by alternates renews the times of those it would have written again.
    const Times times = GetParam() == MountMode::copy ? Times::ignored : Times::compared;
    const Snapshot before = snapshot_of(top() / "work", times);
    const auto workspace = workspace_over(directory);
    const std::string output = run_mounted(*workspace, [&] { return run(script, workspace->path()); });
    EXPECT_EQ(first_difference(snapshot_of(top() / "work", times), before), "");
    workspace->remove();
    return output;
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, MaskLayerTest,
                         ::testing::Values(MountMode::overlay_root, MountMode::overlay_user, MountMode::copy),
                         [](const ::testing::TestParamInfo<MountMode>& mode) {
                           return std::string(mode.param == MountMode::overlay_root   ? "AsRoot"
                                              : mode.param == MountMode::overlay_user ? "InUserNamespace"
                                                                                      : "ByCopy");
                         });

TEST_P(MaskLayerTest, AJobSeesAFreshCloneAndUncommittedWork) {
  init();
  write(".gitignore", "*.o\n/build/\n");
  write("src/a.c", "1");
  write("build/forced.txt", "tracked");
  run("git add -A && git add -f build/forced.txt && git commit -q -m one");
  write("src/a.o", "");
  write("build/out", "");
  write("build/sub/out", "");
  write("deep/er/x.o", "");
  write("src/new.c", "");
  write("src/a.c", "2");
  run("echo secret.txt >> .git/info/exclude");
  write("secret.txt", "private");
  EXPECT_EQ(job(work(), "find . -path ./.git -prune -o -type f -print | sort; ls -A; cat src/a.c"),
            "./.gitignore\n./build/forced.txt\n./src/a.c\n./src/new.c\n"
            ".git\n.gitignore\nbuild\ndeep\nsrc\n2");
}

TEST_P(MaskLayerTest, GitWorksInAJobAndTheUsersRepositoryStaysAsItIs) {
  init();
  write("a", "1");
  commit("one");
  run("git tag -a -m words v1");
  write("b", "1");
  const std::string sha = commit("two");
  run("git remote add origin https://me:secret@example.org/g/n.git && git update-ref "
      "refs/remotes/origin/main HEAD &&"
      " git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main && git pack-refs --all && git "
      "branch later &&"
      " printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit");
  write("a", "stashed");
  run("git stash -q");
  write("a", "2");
  run("git add a");
  write("b", "2");
  write("c", "1");
  run("touch .git/index.lock");
  EXPECT_EQ(job(work(),
                "git status --porcelain; git rev-parse HEAD; git symbolic-ref -q HEAD || echo detached;"
                "git describe --tags; git for-each-ref --format='%(refname)'; git stash list; git remote "
                "get-url origin;"
                "git diff --cached --name-only; git log --format=%s"),
            "M  a\n M b\n?? c\n" + sha + "\ndetached\n" + run("git describe --tags") +
                "\nrefs/heads/later\nrefs/heads/main\nrefs/remotes/origin/HEAD\nrefs/remotes/origin/"
                "main\nrefs/tags/v1\n"
                "https://example.org/g/n.git\na\ntwo\none");
  EXPECT_EQ(run("rm .git/index.lock; git rev-parse HEAD"), sha);
}

TEST_P(MaskLayerTest, AJobMayCommitTagAndCollectGarbage) {
  init();
  write("a", "1");
  commit("one");
  run("git gc -q");
  write("b", "1");
  commit("two");
  EXPECT_EQ(job(work(),
                "echo 2 > a; git commit -q -am job; git checkout -q -b mine; git tag t; git log --format=%s;"
                "git gc -q; git fsck 2>/dev/null; git status --porcelain; git reset -q --hard HEAD~2; cat a"),
            "job\ntwo\none\n1");
  EXPECT_EQ(run("git branch --format='%(refname:short)'; git tag; git fsck"), "main");
}

TEST_P(MaskLayerTest, LinkedWorkingTreesHaveARepositoryToo) {
  init();
  write("a", "1");
  const std::string sha = commit("one");
  run("git worktree add -q -b side ../side");
  EXPECT_EQ(job(top() / "side",
                "git rev-parse HEAD; git status --porcelain; echo 2 > a; git commit -q -am x;"
                "git log --format=%s; test -d .git && echo own"),
            sha + "\nx\none\nown");
  EXPECT_EQ(run("git rev-parse side"), sha);
}

TEST_P(MaskLayerTest, ATreeWithSubmodulesAndOtherRepositoriesWorks) {
  init();
  write("lib", "1");
  commit("library");
  run("git clone -q . ../library && git -c protocol.file.allow=always submodule --quiet add ../library sub &&"
      " git commit -q -m sub && git init -q nested && touch nested/file");
  EXPECT_EQ(job(work(),
                "cat sub/lib; echo; git status --porcelain; ls nested; echo x >> lib; git commit -q -am job;"
                "git log -1 --format=%s"),
            "1\n?? nested/\nfile\njob");
}

TEST_P(MaskLayerTest, AShallowCloneStaysShallow) {
  init();
  commit("one");
  write("a", "1");
  commit("two");
  run("git clone -q --depth 1 file://" + work().string() + " ../shallow");
  EXPECT_EQ(job(top() / "shallow",
                "git log --format=%s; git status --porcelain; git rev-parse --is-shallow-repository"),
            "two\ntrue");
}

TEST_P(MaskLayerTest, BeforeTheFirstCommitAJobHasAnEmptyRepository) {
  run("git init -q -b trunk .");
  write("a", "1");
  EXPECT_EQ(job(work(),
                "git status --porcelain; git symbolic-ref HEAD; git add a; git commit -q -m first;"
                "git log --format=%s"),
            "?? a\nrefs/heads/trunk\nfirst");
}

TEST(MaskLayer, IsNotMadeWithoutAWorkingTree) {
  const testing::GitFixture fixture;
  const auto plain = LocalRepository::open(fixture.work());
  EXPECT_FALSE(make_mask_layer(*plain, fixture.top() / "mask", ObjectAccess::below));
  EXPECT_FALSE(fs::exists(fixture.top() / "mask"));
  fixture.run("git init -q --bare .");
  const auto bare = LocalRepository::open(fixture.work());
  EXPECT_FALSE(make_mask_layer(*bare, fixture.top() / "mask", ObjectAccess::below));
}

TEST(MaskLayer, KeepsOddNamesAndSettingsInOrder) {
  const testing::GitFixture fixture;
  fixture.init();
  fixture.write(".gitignore", "*.tmp\n");
  fixture.commit("one");
  fixture.write("a \"b\"\n\\c/x.tmp", "");
  fixture.run(
      "git config remote.origin.url 'https://h/a\"b\\c' && git config core.autocrlf input &&"
      " git config core.hooksPath /nowhere && git config core.sshCommand evil");
  const auto repository = LocalRepository::open(fixture.work());
  ASSERT_TRUE(make_mask_layer(*repository, fixture.top() / "mask", ObjectAccess::alternate));
  EXPECT_TRUE(fs::is_character_file(fixture.top() / "mask/a \"b\"\n\\c/x.tmp"));
  const fs::path config = fixture.top() / "mask/.git/config";
  EXPECT_EQ(fixture.run("git config -f " + config.string() + " remote.origin.url"), "https://h/a\"b\\c");
  EXPECT_EQ(fixture.run("git config -f " + config.string() + " core.autocrlf"), "input");
  const std::string text = read_file(config).value_or("");
  EXPECT_THAT(text, ::testing::Not(::testing::AnyOf(HasSubstr("evil"), HasSubstr("nowhere"))));
}

}  // namespace
}  // namespace runner::git
