// `runner exec --commit`, from the outside.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kShow =
    "show:\n"
    "  script:\n"
    "    - echo \"sha=$CI_COMMIT_SHA ref=$CI_COMMIT_REF_NAME tag=$CI_COMMIT_TAG\"\n"
    "    - echo \"files=\"$(ls)\n"
    "    - echo \"a=\"$(cat a.txt)\n"
    "    - echo \"status=$(git status --porcelain) head=$(git rev-parse HEAD) count=$(git rev-list --count "
    "HEAD)\"\n";

struct ExecCommit : testing::Test {
  ExecCommit() : box(kShow) {
    box.write("a.txt", "one\n");
    git("add -A && git commit -qm one");
    box.write("a.txt", "two\n");
    box.write("b.txt", "two\n");
    git("add -A && git commit -qm two");
    box.write("a.txt", "uncommitted\n");
    box.write("untracked.txt", "x\n");
  }

  void git(const std::string& words) const {
    box.shell(
        "export GIT_CONFIG_GLOBAL=/dev/null; git config user.email a@example.org; git config user.name A; "
        "git " +
        words);
  }
  std::string id(const std::string& revision) const {
    box.shell("git rev-parse " + revision + " > ../id");
    return std::string(trim(read_file(box.project().parent_path() / "id").value_or("")));
  }

  Sandboxed box;
};

TEST_F(ExecCommit, RunsACleanCheckoutOfTheCommit) {
  const Ended head = box.run({"exec", "--commit", "HEAD"});
  EXPECT_EQ(head.code, 0) << head.out << head.err;
  EXPECT_THAT(head.out, HasSubstr("sha=" + id("HEAD") + " ref="));
  EXPECT_THAT(head.out, HasSubstr("files=a.txt b.txt\n"));
  EXPECT_THAT(head.out, HasSubstr("a=two\n"));
  EXPECT_THAT(head.out, HasSubstr("status= head=" + id("HEAD")));
  const Ended before = box.run({"exec", "--commit", "HEAD~1"});
  EXPECT_EQ(before.code, 0) << before.out << before.err;
  EXPECT_THAT(before.out, HasSubstr("files=a.txt\n"));
  EXPECT_THAT(before.out, HasSubstr("a=one\n"));
  EXPECT_THAT(before.out, HasSubstr("head=" + id("HEAD~1")));
  EXPECT_EQ(read_file(box.project() / "a.txt"), "uncommitted\n");
}

TEST_F(ExecCommit, TakesThePipelineAndItsRulesFromTheCommit) {
  git("checkout -q -- . ");
  box.write(".gitlab-ci.yml",
            "include: {local: /more.yml}\n"
            "on-b:\n  script: echo changed-b\n  rules: [{changes: [b.txt]}]\n"
            "on-c:\n  script: echo changed-c\n  rules: [{changes: [c.txt]}]\n");
  box.write("more.yml", "more:\n  script: echo more-of-the-commit\n");
  box.write("b.txt", "three\n");
  git("add -A && git commit -qm three");
  box.write(".gitlab-ci.yml", "broken: [\n");
  box.write("more.yml", "broken: [\n");
  box.write("c.txt", "uncommitted\n");
  const Ended ended = box.run({"exec", "--commit", "HEAD"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("changed-b\n"));
  EXPECT_THAT(ended.out, HasSubstr("more-of-the-commit\n"));
  EXPECT_THAT(ended.out, Not(HasSubstr("changed-c")));
}

TEST_F(ExecCommit, DepthAndStrategyAreTheJobs) {
  box.write(
      ".gitlab-ci.yml",
      "one:\n  variables: {GIT_DEPTH: 1}\n  script: echo \"one=$(git rev-list --count HEAD)\"\n"
      "all:\n  variables: {GIT_DEPTH: 0}\n  script: echo \"all=$(git rev-list --count HEAD) $(git tag)\"\n"
      "bad:\n  variables: {GIT_DEPTH: many}\n  script: echo \"bad=$(git rev-list --count HEAD)\"\n"
      "none:\n  variables: {GIT_STRATEGY: none}\n  script: echo \"none=\"$(ls -A)\n");
  git("add -A && git commit -qm three && git tag v1");
  box.shell("git rev-list --count HEAD > ../count");
  const std::string all(trim(read_file(box.project().parent_path() / "count").value_or("")));
  const Ended ended = box.run({"exec", "--commit", "HEAD"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("one=1\n"));
  EXPECT_THAT(ended.out, HasSubstr("all=" + all + " v1\n"));
  EXPECT_THAT(ended.out, HasSubstr("bad=" + all + "\n"));
  EXPECT_THAT(ended.out, HasSubstr("GIT_DEPTH should be a number of commits, not 'many'"));
  EXPECT_THAT(ended.out, HasSubstr("none=\n"));
}

TEST_F(ExecCommit, ATagAndABranchAreTakenByName) {
  git("tag v1 HEAD~1 && git branch topic HEAD~1");
  EXPECT_THAT(box.run({"exec", "--commit", "v1"}).out, HasSubstr("ref=v1 tag=v1\n"));
  EXPECT_THAT(box.run({"exec", "--commit", "topic"}).out, HasSubstr("ref=topic tag=\n"));
}

TEST_F(ExecCommit, WithoutARemoteJobsFetchAndPushNowhere) {
  box.write(".gitlab-ci.yml",
            "job:\n"
            "  variables: {GIT_DEPTH: 1}\n"
            "  script:\n"
            "    - git fetch -q --unshallow && echo \"count $(git rev-list --count HEAD)\"\n"
            "    - git fetch -q origin \"$CI_COMMIT_BRANCH\" && echo fetched\n"
            "    - git push -q origin HEAD:refs/heads/pushed || echo refused\n");
  git("add .gitlab-ci.yml && git commit -qm three");
  for (const char* mode : {"auto", "copy"}) {
    box.environment = {std::string("RUNNER_WORKSPACE=") + mode};
    const Ended ended = box.run({"exec", "--commit", "HEAD"});
    EXPECT_EQ(ended.code, 0) << mode << ended.out << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("count 4\n"));
    EXPECT_THAT(ended.out, HasSubstr("fetched\n"));
    EXPECT_THAT(ended.out, HasSubstr("refused\n"));
    box.shell("! git rev-parse -q --verify refs/heads/pushed");
  }
}

TEST_F(ExecCommit, ASilentServerOfASubmoduleHoldsNobodyUp) {
  // It takes connections, as the kernel does that for it, and never says a word.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  box.write(".gitmodules", "[submodule \"sub\"]\n\tpath = sub\n\turl = http://127.0.0.1:" +
                               std::to_string(ntohs(address.sin_port)) + "/sub.git\n");
  box.write(".gitlab-ci.yml",
            "variables: {GIT_SUBMODULE_STRATEGY: normal}\n"
            "timed: {timeout: 1 second, script: [echo never]}\n"
            "other: {timeout: 1 second, script: [echo never]}\n");
  git("add -A && git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub && git commit -qm sub");
  const Ended ended = box.run({"exec", "--commit", "HEAD"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr("timed │ ✗ failed after"));
  EXPECT_THAT(ended.out, HasSubstr("took longer than 1.0 s"));
  EXPECT_THAT(ended.out, Not(HasSubstr("│ never")));
}

TEST_F(ExecCommit, AnUnknownCommitIsRefused) {
  const Ended ended = box.run({"exec", "--commit", "nothing"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("there is no commit 'nothing' in this repository"));
}

TEST_F(ExecCommit, CopiesServeWhereNoOverlayIsPossible) {
  box.environment.push_back("RUNNER_WORKSPACE=copy");
  const Ended ended = box.run({"exec", "--commit", "HEAD"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("a=two\n"));
  EXPECT_THAT(ended.out, HasSubstr("status= head=" + id("HEAD")));
}

TEST_F(ExecCommit, ADataDirectoryInTheRepositoryIsRefused) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"exec", "--commit", "HEAD", "--data", "data"}, {"exec", "--data", "data"}}) {
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_THAT(ended.err, HasSubstr("is inside the repository; name another by --data"));
    EXPECT_FALSE(std::filesystem::exists(box.project() / "data"));
  }
}

}  // namespace
}  // namespace runner::cli
