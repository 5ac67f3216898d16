// Which refs of a remote are news.
#include "runner/daemon/watched_refs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kOne(40, '1'), kTwo(40, '2'), kTag(40, '3');

git::RemoteRefs remote() {
  git::RemoteRefs refs;
  refs.refs = {{"refs/heads/develop", kOne, ""},
               {"refs/heads/feature/a", kOne, ""},
               {"refs/heads/main", kTwo, ""},
               {"refs/merge-requests/1/head", kOne, ""},
               {"refs/tags/v1.0", kTag, kOne}};
  return refs;
}

std::vector<std::string> names(const storage::ProjectRecord& project,
                               const std::map<std::string, std::string>& known = {}) {
  std::vector<std::string> names;
  for (const ChangedRef& ref : changed_refs(project, remote(), known)) names.push_back(ref.ref);
  return names;
}

TEST(WatchedRefs, AreDevelopAndMainUnlessToldOtherwise) {
  EXPECT_THAT(names({}), ElementsAre("refs/heads/develop", "refs/heads/main"));
}

TEST(WatchedRefs, MayBePatterns) {
  storage::ProjectRecord project;
  const struct {
    std::vector<std::string> branches, tags;
    std::vector<std::string> expected;
  } cases[] = {
      {{"*"}, {}, {"refs/heads/develop", "refs/heads/feature/a", "refs/heads/main"}},
      {{"feature/*"}, {}, {"refs/heads/feature/a"}},
      {{"*/a"}, {}, {"refs/heads/feature/a"}},
      {{"ma*n"}, {}, {"refs/heads/main"}},
      {{"mai"}, {}, {}},
      {{"main*x"}, {}, {}},
      {{}, {"v*"}, {"refs/tags/v1.0"}},
      {{}, {"main"}, {}},
      {{"v1.0"}, {}, {}},
  };
  for (const auto& one : cases) {
    project.branches = one.branches;
    project.tags = one.tags;
    EXPECT_EQ(names(project), one.expected);
  }
}

TEST(WatchedRefs, HeadsOfMergeRequestsAreAmongThemWhenTheyAreWanted) {
  storage::ProjectRecord project;
  project.merge_requests = true;
  project.branches.clear();
  EXPECT_THAT(names(project), ElementsAre("refs/merge-requests/1/head"));
  EXPECT_THAT(names(project, {{"refs/merge-requests/1/head", kOne}}), IsEmpty());
  project.url = "https://github.com/me/shop";
  EXPECT_THAT(names(project), IsEmpty()) << "there it is called otherwise";
}

TEST(WatchedRefs, AreNewsWhenTheyPointElsewhere) {
  storage::ProjectRecord project;
  project.tags = {"*"};
  EXPECT_THAT(
      names(project, {{"refs/heads/develop", kOne}, {"refs/heads/main", kOne}, {"refs/tags/v1.0", kOne}}),
      ElementsAre("refs/heads/main"));
  const auto changed = changed_refs(project, remote(), {{"refs/heads/main", kOne}});
  ASSERT_EQ(changed.size(), 3U);
  EXPECT_EQ(changed[0].before, "");
  EXPECT_EQ(changed[1].before, kOne);
  EXPECT_EQ(changed[1].id, kTwo);
  EXPECT_EQ(changed[2].id, kOne) << "the commit that the tag stands for";
  EXPECT_THAT(changed_refs(project, {}, {}), IsEmpty());
}

}  // namespace
}  // namespace runner::daemon
