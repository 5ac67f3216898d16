#include "runner/git/checkout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"
#include "tests/git/checkout_fixture.h"
#include "tests/support/sanitized.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using cache::testing::first_difference;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using CheckoutTest = testing::CheckoutFixture;

TEST_F(CheckoutTest, TheFirstCommitIsAFullLayerAndTheNextOneADelta) {
  write("a.txt", "one\n");
  write("dir/sub/b.txt", "two\n");
  write("run.sh", "#!/bin/sh\n");
  run("chmod +x run.sh && ln -s dir/sub link && ln -s nowhere dangling");
  const std::string first = commit("first");
  const CheckoutLayers one = checkout(first);
  EXPECT_EQ(one.lowers.size(), 2U);
  EXPECT_THAT(one.notices, IsEmpty());
  EXPECT_EQ(first_difference(seen(one), cloned(first)), "");
  write("a.txt", "changed\n");
  run("git rm -rq dir && rm link && mkdir link && echo x > link/file");
  const std::string second = commit("second");
  const CheckoutLayers two = checkout(second);
  EXPECT_EQ(two.lowers.size(), 3U);
  EXPECT_EQ(first_difference(seen(two), cloned(second)), "");
  EXPECT_EQ(first_difference(seen(one), cloned(first)), "");
  const CheckoutLayers again = checkout(second);
  EXPECT_EQ(again.lowers, two.lowers);
}

TEST_F(CheckoutTest, GitInAWorkspaceWorksAsInAShallowClone) {
  for (int i = 0; i < 30; ++i) {
    write("file" + std::to_string(i % 7), std::to_string(i));
    commit("commit " + std::to_string(i));
  }
  run("git tag v1 && git branch other");
  const std::string head = run("git rev-parse HEAD");
  checkout(run("git rev-parse HEAD~3"));
  const CheckoutLayers layers = checkout(head);
  EXPECT_EQ(job(layers, "git status --porcelain"), "");
  EXPECT_EQ(job(layers, "git fsck --no-dangling 2>&1"), "");
  EXPECT_EQ(job(layers, "git rev-parse HEAD"), head);
  EXPECT_EQ(job(layers, "git symbolic-ref -q HEAD || echo detached"), "detached");
  EXPECT_EQ(job(layers, "git log --oneline | wc -l"), "20");
  EXPECT_EQ(job(layers, "git rev-parse --is-shallow-repository"), "true");
  EXPECT_EQ(job(layers, "git diff --stat HEAD~1 | tail -n 1"),
            " 1 file changed, 1 insertion(+), 1 deletion(-)");
  EXPECT_EQ(job(layers, "git for-each-ref --format='%(refname) %(objectname)'"),
            "refs/remotes/origin/main " + head);
  EXPECT_EQ(job(layers, "git config core.bare"), "false");
  EXPECT_EQ(job(layers, "git fetch -q origin && git for-each-ref --format='%(refname)'"),
            "refs/remotes/origin/main\nrefs/remotes/origin/other\nrefs/tags/v1");
  EXPECT_EQ(job(layers, "git fetch -q --unshallow origin && git log --oneline | wc -l"), "30");
  EXPECT_EQ(job(layers, "echo more > file0; rm file1; git status --porcelain"), " M file0\n D file1");
  EXPECT_EQ(job(layers,
                "echo more > new; git add new; git commit -qm new; git status --porcelain; "
                "git rev-parse HEAD~1; git fsck --no-dangling 2>&1"),
            head);
}

TEST_F(CheckoutTest, DepthZeroBringsAllBranchesAndTags) {
  write("a", "1");
  commit("first");
  run("git tag -a -m annotated v1.0 && git branch other");
  write("a", "2");
  const std::string head = commit("second");
  fetch();
  CheckoutRequest request = request_of(head);
  request.depth = 0;
  const CheckoutLayers layers = checkout_layers(*mirror, request, *store);
  EXPECT_EQ(job(layers, "git for-each-ref --format='%(refname)'"),
            "refs/remotes/origin/main\nrefs/remotes/origin/other\nrefs/tags/v1.0");
  EXPECT_EQ(job(layers, "git describe"), run("git describe"));
  EXPECT_EQ(job(layers, "git rev-parse --is-shallow-repository; git log --oneline | wc -l"), "false\n2");
  EXPECT_EQ(job(layers, "git fsck 2>&1"), "");
}

TEST_F(CheckoutTest, ATagPipelineHasItsTag) {
  write("a", "1");
  const std::string head = commit("first");
  run("git tag -a -m annotated v1.0 && git tag v2.0");
  fetch();
  CheckoutRequest request = request_of(head);
  request.ref = "refs/tags/v1.0";
  const CheckoutLayers layers = checkout_layers(*mirror, request, *store);
  EXPECT_EQ(job(layers, "git describe --exact-match; git tag"), "v1.0\nv1.0");
}

TEST_F(CheckoutTest, DepthsAreThoseOfARealFetch) {
  write("a", "0");
  commit("root");
  for (int i = 0; i < 4; ++i) {
    run("git checkout -qb side" + std::to_string(i));
    for (int k = 0; k <= i; ++k) {
      write("side" + std::to_string(i), std::to_string(k));
      commit("side");
    }
    run("git checkout -q main");
    write("a", std::to_string(i + 1));
    commit("main");
    run("git merge -q --no-ff -m merge side" + std::to_string(i));
  }
  const std::string head = run("git rev-parse HEAD");
  fetch();
  for (const std::size_t depth : {1U, 2U, 3U, 5U, 8U, 9U, 10U, 20U}) {
    const fs::path clone = top() / ("shallow" + std::to_string(depth));
    run("git clone -q --single-branch --no-tags --depth " + std::to_string(depth) + " 'file://" +
            work().string() + "' '" + clone.string() + "'",
        top());
    CheckoutRequest request = request_of(head);
    request.depth = depth;
    const CheckoutLayers layers = checkout_layers(*mirror, request, *store);
    const std::string question = "git rev-list HEAD | sort; git rev-parse --is-shallow-repository";
    EXPECT_EQ(job(layers, question), run(question, clone)) << depth;
    EXPECT_EQ(job(layers, "cat .git/shallow 2>/dev/null | sort"),
              run("cat .git/shallow 2>/dev/null | sort", clone));
  }
}

TEST_F(CheckoutTest, ContentIsConvertedAsGitDoes) {
  write(".gitattributes",
        "*.txt text eol=crlf\n*.auto text=auto eol=crlf\n*.bin -text eol=crlf\n*.id ident\n"
        "\"odd \\\"name\\\".*\" eol=crlf\n[attr]windows text eol=crlf\n*.win windows\n/top.* eol=crlf\n"
        "deep/**/x.* eol=crlf\n*.[ch] eol=crlf\n!*.neg eol=crlf\ndir/ eol=crlf\n*.off eol=crlf\n"
        "*.u16 text working-tree-encoding=UTF-16LE-BOM\n*.u16b text working-tree-encoding=UTF-16 eol=crlf\n"
        "*.lat working-tree-encoding=ISO-8859-1\n*.both ident eol=crlf\n*.binary binary eol=crlf\n"
        "*.export export-subst export-ignore\n*.old crlf eol=crlf\n  # no comment\n");
  write("sub/.gitattributes", "*.txt -text\n*.off !eol\n*.both -ident\n[attr]windows -text\n");
  // A byte order mark belongs to the first pattern.
  write("marked/.gitattributes", "\xEF\xBB\xBF*.md eol=crlf\n*.txt eol=lf\n");
  for (const char* name : {"marked/a.md", "marked/a.txt"}) write(name, "a\nb\n");
  const std::string mixed = "a\nb\r\nc\n", lines = "a\nb\n", odd = "x\r\ny\r";
  for (const char* directory : {"", "sub/", "deep/", "deep/er/", "dir/"}) {
    for (const char* name : {"a.txt", "a.auto", "a.bin", "odd \"name\".q", "a.win", "top.t", "x.y", "a.c",
                             "a.neg", "a.off", "a.binary", "a.export", "a.old", "plain"}) {
      write(std::string(directory) + name, lines);
      write(std::string(directory) + "mixed" + name, mixed);
      write(std::string(directory) + "odd" + name, odd);
    }
    write(std::string(directory) + "zero.auto", std::string_view("a\n\0b\n", 5));
    write(std::string(directory) + "low.auto", "a\n\x01\x02\n");
    write(std::string(directory) + "end.auto", "abc\n\x1a");
    write(std::string(directory) + "a.id", "$Id$ $Id: old $ $Id: a b $ $Id:\n$ $Ident$ $Id $Id:$\n$Id: 12");
    write(std::string(directory) + "a.both", "$Id$\nx\n");
    write(std::string(directory) + "empty.txt", "");
    write(std::string(directory) + "a.export", "$Format:%H$\n");
  }
  run("printf 'a\\374\\n' > a.lat; printf '\\377\\376a\\000\\n\\000' > a.u16; printf "
      "'\\376\\377\\000a\\000\\n' > a.u16b");
  const std::string first = commit("first");
  expect_as_cloned(first);
  write("sub/a.auto", "changed\nlines\n");
  write("deep/er/x.y", "changed\nlines\n");
  const std::string second = commit("second");
  const CheckoutLayers delta = checkout(second);
  EXPECT_EQ(delta.lowers.size(), 3U);
  EXPECT_EQ(first_difference(seen(delta), cloned(second)), "");
  EXPECT_EQ(job(delta, "git status --porcelain 2>/dev/null"), "");
  write("sub/.gitattributes", "* eol=crlf\n");
  expect_as_cloned(commit("third"));
}

TEST_F(CheckoutTest, NamesMayHoldAnything) {
  for (const std::string name :
       {"with space", "new\nline", "quote\"d", "tab\t", "\xff\xfe-no-utf8", "-dash", "back\\slash", "dir.a/x",
        "dir/x", "dir-a/x", "dir0", ".gitignore2", ".github/x", "a:b", "CON"}) {
    write(name, name);
  }
  const std::string longest(200, 'n');
  write(longest + "/" + longest + "/" + longest + "/file", "deep");
  const std::string first = commit("first");
  expect_as_cloned(first);
  run("git mv dir dir.b && git rm -q -- -dash && git mv dir0 dir");
  const std::string second = commit("second");
  const CheckoutLayers layers = checkout(second);
  EXPECT_EQ(first_difference(seen(layers), cloned(second)), "");
  EXPECT_EQ(job(layers, "git status --porcelain; git fsck 2>&1"), "");
}

TEST_F(CheckoutTest, EmptyCommitsAndUnrelatedBranchesAreCheckedOut) {
  const std::string empty = commit("nothing");
  const CheckoutLayers layers = checkout(empty);
  EXPECT_THAT(seen(layers), IsEmpty());
  EXPECT_EQ(job(layers, "git status --porcelain; git rev-parse HEAD"), empty);
  write("a", "1");
  const std::string first = commit("first");
  run("git checkout -q --orphan pages && git rm -rfq . && echo page > index.html");
  const std::string orphan = commit("pages");
  expect_as_cloned(first);
  expect_as_cloned(orphan);
}

TEST_F(CheckoutTest, RandomHistoriesAreAsGitChecksThemOut) {
  std::mt19937 random(20240131);
  const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const auto name = [&] {
    std::string path;
    for (std::size_t depth = pick(4) + 1; depth > 0; --depth) {
      path += std::string(1, static_cast<char>('a' + pick(3))) + (pick(4) == 0 ? ".x" : "") +
              (depth > 1 ? "/" : "");
    }
    return path;
  };
  std::vector<std::string> commits;
  for (int i = 0; i < (test::kSanitized ? 8 : 30); ++i) {
    std::string script;
    for (std::size_t step = pick(8) + 1; step > 0; --step) {
      const std::string path = name();
      script += "rm -rf '" + path + "'; ";
      // A file may be in the way of its directory.
      script += "p='" + path +
                "'; d=; for s in $(echo \"$p\" | tr / ' '); do d=\"$d$s\"; [ -d \"$d\" ] || rm -f \"$d\"; "
                "d=\"$d/\"; done; ";
      script += "mkdir -p \"$(dirname \"$p\")\"; ";
      const std::string quoted = "'" + path + "'";
      const std::size_t kind = pick(5);
      if (kind == 1) script += "ln -s target" + std::to_string(pick(3)) + " " + quoted;
      if (kind == 2) script += "echo run > " + quoted + "; chmod +x " + quoted;
      if (kind > 2) script += "echo " + std::to_string(pick(100)) + " > " + quoted;
      script += "\n";
    }
    run(script);
    commits.push_back(commit("step"));
    if (pick(6) == 0)
      run("git checkout -q --detach " + commits[pick(commits.size())] +
          " && git branch -f main && git checkout -q main");
  }
  run("for c in " + join(commits, " ") + "; do git branch keep-$c $c; done");
  fetch();
  for (std::size_t i = 0; i < commits.size() * 3 / 2; ++i) {
    const std::string& one = commits[i < commits.size() ? i : pick(commits.size())];
    const CheckoutLayers layers = checkout_layers(*mirror, request_of(one), *store);
    ASSERT_EQ(first_difference(seen(layers), cloned(one)), "") << i << " " << one;
    if (i % 9 == 8) {
      ASSERT_EQ(job(layers, "git status --porcelain; git fsck --no-dangling 2>&1"), "") << i;
    }
    ASSERT_LT(layers.lowers.size(), 12U);
  }
  EXPECT_THAT(store->verify(false).problems, IsEmpty());
}

TEST_F(CheckoutTest, StatusReadsNoContent) {
  for (int i = 0; i < 50; ++i) write("dir" + std::to_string(i % 5) + "/file" + std::to_string(i), "content");
  checkout(commit("first"));
  write("dir1/file1", "other");
  const CheckoutLayers layers = checkout(commit("second"));
  // As if all had been checked out a while ago: git reads what was written in the second of its index.
  for (const fs::path& lower : layers.lowers) {
    const fs::path index = lower / ".git/index";
    if (fs::exists(index)) fs::last_write_time(index, fs::last_write_time(index) + std::chrono::seconds(5));
  }
  // Of the same size and time, so git would have to read a file to see that it is another one.
  const std::string replace =
      "touch -r $f t; printf OTHER12 | head -c $(wc -c < $f) > $f; touch -r t $f; rm t;";
  EXPECT_EQ(job(layers, "for f in dir1/file1 dir2/file2; do " + replace + " done; git status --porcelain"),
            "");
}

// As a directory that git moves from commit to commit: a build tool would take files of an earlier time for
// built already, when a cache was saved meanwhile.
TEST_F(CheckoutTest, WhatDiffersFromTheLastCheckoutIsNewerThanIt) {
  write("same", "1");
  write("differs", "1");
  const std::string first = commit("first");
  write("differs", "2");
  const std::string second = commit("second");
  const auto time_of = [](const CheckoutLayers& layers, const std::string& path) {
    const auto entry = LayeredTree(layers.lowers).find(path);
    struct stat info {};
    EXPECT_TRUE(entry && ::lstat(entry->real.c_str(), &info) == 0) << path;
    return std::pair(info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  };
  const auto clock_has_moved_from = [](const std::pair<time_t, long>& time) {
    timespec now{};
    do {
      ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (std::pair(now.tv_sec, now.tv_nsec) <= time);
  };
  const CheckoutLayers one = checkout(first);
  const auto base = time_of(one, "differs");
  EXPECT_EQ(time_of(one, "same"), base);
  clock_has_moved_from(base);
  const CheckoutLayers two = checkout(second);
  EXPECT_GT(time_of(two, "differs"), base);
  EXPECT_EQ(time_of(two, "same"), base);
  clock_has_moved_from(time_of(two, "differs"));
  const CheckoutLayers back = checkout(first);
  EXPECT_GT(time_of(back, "differs"), time_of(two, "differs"));
  EXPECT_EQ(time_of(back, "same"), base);
  EXPECT_EQ(first_difference(seen(back), cloned(first)), "");
  EXPECT_EQ(checkout(first).lowers, back.lowers);
}

TEST_F(CheckoutTest, AProcessKilledAnywhereLeavesNothingHalf) {
  write("a", "1");
  write("dir/b", "2");
  commit("first");
  write("dir/b", "3");
  const std::string head = commit("second");
  const std::string parent = run("git rev-parse HEAD~1");
  fetch();
  int killed = 0;
  for (const std::string point :
       {"checkout.directories", "checkout.written", "checkout.git_written", "layers.renamed"}) {
    for (int time = 1; time <= 2; ++time) {
      store.reset();
      const fs::path root = top() / ("layers-" + point + std::to_string(time));
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        int left = time;
        set_failpoint_handler([&](std::string_view name) {
          if (name == point && --left == 0) ::raise(SIGKILL);
        });
        const auto own = cache::LayerStore::open(root, clock);
        const auto own_mirror = Mirror::open(mirror->directory());
        for (const std::string& one : {parent, head}) checkout_layers(*own_mirror, request_of(one), *own);
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      if (WIFSIGNALED(status)) ++killed;
      store = cache::LayerStore::open(root, clock);
      store->recover();
      EXPECT_THAT(store->verify(true).problems, IsEmpty()) << point;
      EXPECT_EQ(first_difference(seen(checkout_layers(*mirror, request_of(head), *store)), cloned(head)), "");
      EXPECT_TRUE(fs::is_empty(root / "drafts")) << point;
    }
  }
  EXPECT_GE(killed, 6);
}

TEST_F(CheckoutTest, AMissingCommitIsNamed) {
  commit("first");
  try {
    checkout("0123456789012345678901234567890123456789");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("0123456789012345678901234567890123456789"));
  }
}

struct HostileTree {
  const char* name;
  const char* script;  // ends with a tree id on standard output
};
void PrintTo(const HostileTree& tree, std::ostream* out) {
  *out << tree.name;
}

struct HostileTreeTest : CheckoutTest, ::testing::WithParamInterface<HostileTree> {};

TEST_P(HostileTreeTest, IsRefused) {
  write("a", "1");
  commit("first");
  const std::string tree = run("export b=$(git rev-parse HEAD:a) t=$(git rev-parse HEAD^{tree}); " +
                               std::string(GetParam().script));
  const std::string commit_id = run("git commit-tree -m bad " + tree);
  run("git update-ref refs/heads/bad " + commit_id);
  try {
    checkout(commit_id);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("commit"));
  }
  EXPECT_FALSE(fs::exists(top() / "outside"));
}

// "mktree" takes names that the index does not.
INSTANTIATE_TEST_SUITE_P(
    Trees, HostileTreeTest,
    ::testing::Values(HostileTree{"DotGit", "printf '040000 tree %s\\t.git\\n' $t | git mktree"},
                      HostileTree{"DotGitUpper", "printf '040000 tree %s\\t.GiT\\n' $t | git mktree"},
                      HostileTree{"ShortName", "printf '040000 tree %s\\tGIT~1\\n' $t | git mktree"},
                      HostileTree{"DotGitBlank", "printf '040000 tree %s\\t.git .\\n' $t | git mktree"},
                      HostileTree{"DotDot", "printf '040000 tree %s\\t..\\n' $t | git mktree"},
                      HostileTree{"Dot", "printf '100644 blob %s\\t.\\n' $b | git mktree"},
                      HostileTree{"Twice",
                                  "printf '120000 blob %s\\tx\\n040000 tree %s\\tx\\n' $b $t | git mktree"}),
    [](const ::testing::TestParamInfo<HostileTree>& tree) { return std::string(tree.param.name); });

}  // namespace
}  // namespace runner::git
