#include "runner/triggers/ref_name.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace runner::triggers {
namespace {

/// What git says.
bool git_accepts(const std::string& name) {
  const pid_t child = fork();
  if (child == 0) {
    execlp("git", "git", "check-ref-format", name.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) <= 1) << "git cannot be run";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(RefName, SaysWhatGitSays) {
  for (const std::string name : {"refs/heads/main",
                                 "refs/heads/a/b/c",
                                 "refs/tags/v1.0",
                                 "refs/heads/@",
                                 "refs/heads/a@b",
                                 "refs/heads/a@{b",
                                 "refs/heads/{",
                                 "refs/heads/a.lock",
                                 "refs/heads/a.lock/b",
                                 "refs/heads/.a",
                                 "refs/heads/a/.b",
                                 "refs/heads/a.",
                                 "refs/heads/a./b",
                                 "refs/heads/a..b",
                                 "refs/heads//a",
                                 "refs/heads/",
                                 "refs/heads/a/",
                                 "refs/heads/a b",
                                 "refs/heads/a~",
                                 "refs/heads/a^",
                                 "refs/heads/a:b",
                                 "refs/heads/a?",
                                 "refs/heads/a*",
                                 "refs/heads/a[b",
                                 "refs/heads/a]b",
                                 "refs/heads/a\\b",
                                 "refs/heads/a\tb",
                                 "refs/heads/a\x7f",
                                 "refs/heads/\xc3\xbc",
                                 "refs/heads/a\xff",
                                 "refs/heads/lock",
                                 "refs/heads/.lock",
                                 "refs/heads/a-",
                                 "refs/pull/7/head",
                                 "refs/heads/HEAD",
                                 "refs/heads/a'\"$(b)",
                                 "refs/x"}) {
    EXPECT_EQ(is_ref_name(name), git_accepts(name)) << name;
  }
}

TEST(RefName, SaysWhatGitSaysOfRandomNames) {
  EXPECT_TRUE(rc::check([] {
    const auto part = rc::gen::elementOf(
        std::vector<std::string>{"a", ".", "/", "@", "{", ".lock", "..", "-", "b", "~", " ", "*"});
    std::string name = "refs/x/";
    for (const std::string& each :
         *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange<std::size_t>(1, 6), part))
      name += each;
    RC_ASSERT(is_ref_name(name) == git_accepts(name));
  }));
}

TEST(RefName, IsStricterThanGitWhereCommandsCouldTakeItForAnOption) {
  for (const std::string name : {"", "main", "HEAD", "refs/heads/-f", "refs/tags/--help", "heads/main"}) {
    EXPECT_FALSE(is_ref_name(name)) << name;
  }
  EXPECT_TRUE(is_ref_name("refs/heads/a/-b"));
  EXPECT_TRUE(is_ref_name("refs/heads/" + std::string(989, 'a')));
  EXPECT_FALSE(is_ref_name("refs/heads/" + std::string(990, 'a')));
  EXPECT_FALSE(is_ref_name(std::string("refs/heads/a\0b", 14)));
}

}  // namespace
}  // namespace runner::triggers
