#include "runner/git/commit_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/git/git_fixture.h"

namespace runner::git {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> subjects(const std::vector<RangeCommit>& commits) {
  std::vector<std::string> texts;
  for (const RangeCommit& one : commits) texts.push_back(one.subject);
  return texts;
}

struct CommitRangeTest : ::testing::Test, testing::GitFixture {
  CommitRangeTest() {
    init();
    first = change("a", "1", "first");
    second = change("a", "2", "second\n\nwith a body");
    run("git checkout -q -b other " + first);
    side = change("c", "1", "side");
    run("git checkout -q main");
    third = change("b", "1", "third");
  }
  std::string change(const std::string& file, const std::string& text, const std::string& message) const {
    write(file, text);
    return commit(message);
  }
  CommitRange between(const std::string& from, const std::string& to, std::size_t limit = 10) const {
    const auto mirror = Mirror::open(top() / "mirror.git");
    FetchRequest request;
    request.access.url = work().string();
    mirror->fetch(request);
    return commits_between(*mirror, from, to, limit);
  }

  std::string first, second, side, third;
};

TEST_F(CommitRangeTest, NamesWhatIsNewAndWhatIsGone) {
  const CommitRange forward = between(first, third);
  EXPECT_TRUE(forward.known);
  EXPECT_THAT(subjects(forward.commits), ElementsAre("third", "second"));
  EXPECT_EQ(forward.commits.front().id, third);
  EXPECT_FALSE(forward.commits.front().author.empty());
  EXPECT_THAT(forward.gone, IsEmpty());
  EXPECT_EQ(forward.files, 2U);
  const CommitRange back = between(third, first);
  EXPECT_THAT(back.commits, IsEmpty());
  EXPECT_THAT(subjects(back.gone), ElementsAre("third", "second"));
  const CommitRange across = between(side, second);
  EXPECT_THAT(subjects(across.commits), ElementsAre("second"));
  EXPECT_THAT(subjects(across.gone), ElementsAre("side"));
  EXPECT_EQ(across.files, 2U);
}

TEST_F(CommitRangeTest, CountsWhatItDoesNotRead) {
  const CommitRange range = between(first, third, 1);
  EXPECT_EQ(range.commits.size(), 1U);
  EXPECT_EQ(range.commits_total, 2U);
}

TEST_F(CommitRangeTest, OfOneCommitNothingDiffersAndOfOneThatIsGoneNothingIsKnown) {
  const CommitRange same = between(third, third);
  EXPECT_TRUE(same.known);
  EXPECT_EQ(same.commits_total + same.gone_total + same.files, 0U);
  for (const std::string& no : {std::string(40, 'e'), std::string("main"), std::string()})
    EXPECT_FALSE(between(no, third).known) << no;
}

}  // namespace
}  // namespace runner::git
