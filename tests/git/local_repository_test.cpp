#include "runner/git/local_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/base/error.h"
#include "tests/git/git_fixture.h"

namespace runner::git {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

struct LocalRepositoryTest : ::testing::Test, testing::GitFixture {
  std::unique_ptr<LocalRepository> open() const { return LocalRepository::open(work()); }
};

TEST_F(LocalRepositoryTest, ReadsHeadAndItsCommit) {
  init();
  write("a", "1\n");
  const std::string sha = commit("Subject\n\nbody\nmore");
  run("git remote add origin https://me:secret@example.org/group/name.git");
  run("git config user.name 'Some One'");
  run("git config user.email one@example.org");
  make_directories(work() / "deep/er");

  const auto repository = LocalRepository::open(work() / "deep/er");
  EXPECT_TRUE(repository->is_repository());
  EXPECT_EQ(repository->root(), std::filesystem::canonical(work()));
  const LocalFacts& facts = repository->facts();
  EXPECT_EQ(facts.sha, sha);
  EXPECT_EQ(facts.branch, "main");
  EXPECT_EQ(facts.tag, "");
  EXPECT_EQ(facts.commit_message, "Subject\n\nbody\nmore\n");
  EXPECT_EQ(facts.commit_author, "Ann Author <ann@example.org>");
  EXPECT_EQ(facts.user_name, "Some One");
  EXPECT_EQ(facts.user_email, "one@example.org");
  EXPECT_EQ(facts.commit_timestamp, "2023-11-14T19:43:20-03:30");
  EXPECT_EQ(facts.default_branch, "main");
  EXPECT_EQ(facts.origin_url, "https://example.org/group/name.git");
  EXPECT_EQ(facts.project_path, "group/name");
  EXPECT_FALSE(facts.shallow);
}

TEST_F(LocalRepositoryTest, WithoutARepositoryEveryFileCounts) {
  write("b/c", "");
  write("a", "");
  const auto repository = open();
  EXPECT_FALSE(repository->is_repository());
  EXPECT_EQ(repository->root(), std::filesystem::canonical(work()));
  EXPECT_EQ(repository->facts().sha, "");
  EXPECT_THAT(repository->tracked_files(), ElementsAre("a", "b/c"));
  EXPECT_EQ(repository->changed_files(), std::nullopt);
  EXPECT_EQ(repository->changed_since("main"), std::nullopt);
  EXPECT_EQ(repository->last_commit("a"), std::nullopt);
  EXPECT_THAT(repository->blob_id("a"), Optional(std::string("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")));
  EXPECT_FALSE(repository->is_tracked("a"));
}

TEST_F(LocalRepositoryTest, BeforeTheFirstCommitThereAreFilesButNoFacts) {
  run("git init -q -b trunk .");
  write("a", "");
  const auto repository = open();
  EXPECT_EQ(repository->facts().sha, "");
  EXPECT_EQ(repository->facts().branch, "trunk");
  EXPECT_EQ(repository->facts().default_branch, "trunk");
  EXPECT_EQ(repository->changed_files(), std::nullopt);
  EXPECT_THAT(repository->tracked_files(), ElementsAre("a"));
}

TEST_F(LocalRepositoryTest, DetachedAtATagPrefersTheAnnotatedOne) {
  init();
  commit("one");
  run("git tag zz-light && git tag -a -m 'the words' v1.0 && git checkout -q --detach");
  const auto repository = open();
  EXPECT_EQ(repository->facts().branch, "");
  EXPECT_EQ(repository->facts().tag, "v1.0");
  EXPECT_EQ(repository->facts().tag_message, "the words\n");
  EXPECT_EQ(repository->changed_files(), std::nullopt);
}

TEST_F(LocalRepositoryTest, LinkedWorkingTreesAndSubmodulesAreRepositoriesOfTheirOwn) {
  init();
  write("a", "1");
  const std::string sha = commit("one");
  run("git worktree add -q -b side ../side");
  const auto side = LocalRepository::open(top() / "side");
  EXPECT_EQ(side->facts().branch, "side");
  EXPECT_EQ(side->facts().sha, sha);
  EXPECT_EQ(side->common_dir(), std::filesystem::canonical(work() / ".git"));
  EXPECT_NE(side->git_dir(), side->common_dir());
  EXPECT_THAT(side->tracked_files(), ElementsAre("a"));

  run("mkdir super && cd super && git init -q -b main . && "
      "git -c protocol.file.allow=always submodule --quiet add ../work sub && git commit -q -m sub",
      top() / "home/..");
  const auto sub = LocalRepository::open(top() / "super/sub");
  EXPECT_EQ(sub->facts().sha, sha);
  const auto super = LocalRepository::open(top() / "super");
  EXPECT_THAT(super->entries().submodules, ElementsAre("sub"));
  EXPECT_THAT(super->tracked_files(), ElementsAre(".gitmodules"));
}

TEST_F(LocalRepositoryTest, BareRepositoriesHaveFactsAndNoFiles) {
  init();
  const std::string sha = commit("one");
  run("git clone -q --bare . ../bare.git");
  const auto repository = LocalRepository::open(top() / "bare.git");
  EXPECT_EQ(repository->facts().sha, sha);
  EXPECT_THAT(repository->tracked_files(), IsEmpty());
}

TEST_F(LocalRepositoryTest, TheDefaultBranchIsWhatOriginSays) {
  init();
  commit("one");
  run("git branch -m develop && git clone -q . ../clone && cd ../clone && git checkout -q -b topic");
  EXPECT_EQ(LocalRepository::open(top() / "clone")->facts().default_branch, "develop");
  run("git checkout -q -b master");
  EXPECT_EQ(open()->facts().default_branch, "master");
}

TEST_F(LocalRepositoryTest, TrackedFilesAreWhatAJobSees) {
  init();
  write(".gitignore", "*.log\nbuild/\n!keep.log\n");
  write("src/a.c", "");
  write("src/gone.c", "");
  write("build/forced", "");
  write("turned", "");
  run("git add -A && git add -f build/forced && git commit -q -m one");
  write("new/file", "");
  write("keep.log", "");
  write("x.log", "");
  write("build/out.o", "");
  write("build/sub/out.o", "");
  write("cache/build/deep", "");
  run("rm src/gone.c && rm turned && mkdir turned && touch turned/inner");
  run("git init -q nested && touch nested/file");
  const auto repository = open();
  EXPECT_THAT(repository->tracked_files(),
              ElementsAre(".gitignore", "build/forced", "keep.log", "new/file", "src/a.c", "turned/inner"));
  EXPECT_THAT(repository->entries().ignored, ElementsAre("build/out.o", "build/sub", "cache/build", "x.log"));
  EXPECT_THAT(repository->entries().untracked, ElementsAre("keep.log", "new/file", "turned/inner"));
  EXPECT_TRUE(repository->is_tracked("build/forced"));
  EXPECT_FALSE(repository->is_tracked("keep.log"));
  EXPECT_FALSE(repository->is_tracked("src"));
}

TEST_F(LocalRepositoryTest, OnABranchChangesCountFromTheMergeBase) {
  init();
  write("old name", "content long enough to be seen as renamed\n");
  write("kept", "1");
  const std::string base = commit("one");
  run("git checkout -q -b topic && git mv 'old name' 'new name'");
  commit("rename");
  run("git checkout -q main");
  write("only-on-main", "");
  commit("two");
  run("git checkout -q topic");
  write("kept", "2");
  write("untracked", "");
  const auto repository = open();
  EXPECT_EQ(repository->before_sha(), base);
  EXPECT_THAT(repository->changed_files(),
              Optional(ElementsAre("kept", "new name", "old name", "untracked")));
}

TEST_F(LocalRepositoryTest, OnTheDefaultBranchChangesCountFromOriginOrTheParent) {
  init();
  write("a", "1");
  const std::string first = commit("one");
  EXPECT_EQ(open()->changed_files(), std::nullopt) << "a root commit has nothing before it";
  write("b", "1");
  const std::string second = commit("two");
  write("c", "1");
  commit("three");
  EXPECT_THAT(open()->changed_files(), Optional(ElementsAre("c")));
  run("git update-ref refs/remotes/origin/main " + first);
  EXPECT_THAT(open()->changed_files(), Optional(ElementsAre("b", "c")));
  run("git update-ref refs/remotes/origin/main HEAD");
  EXPECT_EQ(open()->before_sha(), second);
  run("git rm -q --cached a && rm a");
  EXPECT_THAT(open()->changed_files(), Optional(ElementsAre("a", "c")));
}

TEST_F(LocalRepositoryTest, ChangedSinceTakesAnyNameOfACommit) {
  init();
  write("a", "1");
  const std::string first = commit("one");
  run("git tag -a -m x v1 && git update-ref refs/remotes/origin/release HEAD");
  write("b", "1");
  commit("two");
  const auto repository = open();
  for (const std::string& ref : {std::string("v1"), std::string("release"), std::string("origin/release"),
                                 first, first.substr(0, 10), std::string("refs/tags/v1")}) {
    EXPECT_THAT(repository->changed_since(ref), Optional(ElementsAre("b"))) << ref;
  }
  for (const char* ref : {"nope", "", "HEAD~1", "../../x", "--all", ":/one"}) {
    EXPECT_EQ(repository->changed_since(ref), std::nullopt) << ref;
  }
}

TEST_F(LocalRepositoryTest, AShallowCloneHasNothingBeforeItsEnd) {
  init();
  commit("one");
  write("a", "1");
  commit("two");
  run("git clone -q --depth 1 file://" + work().string() + " ../shallow");
  const auto repository = LocalRepository::open(top() / "shallow");
  EXPECT_TRUE(repository->facts().shallow);
  EXPECT_EQ(repository->changed_files(), std::nullopt);
  EXPECT_EQ(repository->changed_since("main").has_value(), true);
  EXPECT_THAT(repository->last_commit("a"), Optional(repository->facts().sha));
}

TEST_F(LocalRepositoryTest, BlobIdsAreThoseOfWhatAJobSees) {
  init();
  write("same", "hello\n");
  write("changed", "one\n");
  run("ln -s same link && mkdir dir");
  commit("one");
  run("touch -d '2020-01-01' same && git update-index --refresh -q");
  write("changed", "two\n");
  write("new", "three\n");
  const auto repository = open();
  for (const char* path : {"same", "changed", "new"}) {
    EXPECT_THAT(repository->blob_id(path), Optional(run(std::string("git hash-object ") + path))) << path;
  }
  EXPECT_THAT(repository->blob_id("link"), Optional(run("git rev-parse HEAD:link")));
  EXPECT_EQ(repository->blob_id("dir"), std::nullopt);
  EXPECT_EQ(repository->blob_id("nowhere"), std::nullopt);
}

TEST_F(LocalRepositoryTest, LastCommitIsWhatGitLogSays) {
  init();
  write("a", "1");
  write("d/x", "1");
  commit("one");
  run("git checkout -q -b side");
  write("d/x", "2");
  commit("two");
  run("git checkout -q main");
  write("b", "1");
  commit("three");
  run("git merge -q --no-edit side && chmod +x a");
  commit("mode");
  run("git rm -q b");
  commit("removed");
  const auto repository = open();
  for (const char* path : {"a", "b", "d/x", "d", "never"}) {
    const std::string expected = run(std::string("git log -1 --format=%H -- ") + path);
    EXPECT_EQ(repository->last_commit(path).value_or(""), expected) << path;
  }
}

TEST_F(LocalRepositoryTest, ADamagedRepositoryIsAnErrorThatNamesIt) {
  init();
  commit("one");
  run("echo '[broken' >> .git/config");
  try {
    open()->facts();
    FAIL() << "the broken configuration was not seen";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("git"));
  }
}

}  // namespace
}  // namespace runner::git
