// Refs of merge requests, and what forges say of one.
#include "runner/forge/merge_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"
#include "tests/forge/support/fake_forge.h"

namespace runner::forge {
namespace {

using test::FakeForge;
using testing::HasSubstr;

TEST(MergeRequest, HasARefAtEachForge) {
  using enum ForgeKind;
  struct Case {
    ForgeKind kind;
    const char* ref;
    std::int64_t number;  // 0: none
  };
  const Case cases[] = {
      {github, "refs/pull/7/head", 7},
      {gitea, "refs/pull/12345/head", 12345},
      {gitlab, "refs/merge-requests/3/head", 3},
      {none, "refs/pull/7/head", 7},
      {none, "refs/merge-requests/3/head", 3},
      {github, "refs/merge-requests/3/head", 0},
      {gitlab, "refs/pull/7/head", 0},
      {github, "refs/pull/7/merge", 0},
      {github, "refs/pull/07/head", 0},
      {github, "refs/pull/0/head", 0},
      {github, "refs/pull/-1/head", 0},
      {github, "refs/pull/+1/head", 0},
      {github, "refs/pull//head", 0},
      {github, "refs/pull/head", 0},
      {github, "refs/pull/7/head/x", 0},
      {github, "refs/pull/7x/head", 0},
      {github, "refs/pull/99999999999999999999/head", 0},
      {github, "refs/heads/pull/7/head", 0},
      {none, "", 0},
  };
  for (const Case& one : cases)
    EXPECT_EQ(merge_request_number(one.kind, one.ref).value_or(0), one.number) << one.ref;
}

TEST(MergeRequest, IsReadAsEachForgeTellsIt) {
  const auto github = read_merge_request(ForgeKind::github, R"({"number":7,"state":"open","title":"A\nB",
      "head":{"ref":"topic","repo":{"id":1}},"base":{"ref":"main","repo":{"id":1}}})");
  ASSERT_TRUE(github);
  EXPECT_EQ(github->source_branch, "topic");
  EXPECT_EQ(github->target_branch, "main");
  EXPECT_EQ(github->title, "A B");
  EXPECT_TRUE(github->open);
  EXPECT_FALSE(github->from_fork);
  const auto gone = read_merge_request(ForgeKind::gitea, R"({"state":"closed",
      "head":{"ref":"refs/heads/topic","repo":null},"base":{"ref":"main","repo":{"id":1}}})");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->source_branch, "topic");
  EXPECT_TRUE(gone->from_fork) << "the fork was deleted";
  EXPECT_FALSE(gone->open);
  const auto gitlab = read_merge_request(ForgeKind::gitlab, R"({"state":"opened","source_branch":"a/b",
      "target_branch":"develop","source_project_id":5,"target_project_id":6})");
  ASSERT_TRUE(gitlab);
  EXPECT_EQ(gitlab->source_branch, "a/b");
  EXPECT_EQ(gitlab->target_branch, "develop");
  EXPECT_TRUE(gitlab->from_fork);
  for (const char* bad : {"", "[]", "{}", R"({"base":{"ref":5}})", R"({"base":"main"})",
                          R"({"base":{"ref":"../main"}})", R"({"base":{"ref":"-x"}})"})
    EXPECT_FALSE(read_merge_request(ForgeKind::github, bad)) << bad;
}

TEST(MergeRequest, IsAskedForWithTheToken) {
  for (const ForgeKind kind : {ForgeKind::github, ForgeKind::gitlab, ForgeKind::gitea}) {
    FakeForge fake(kind);
    ForgePlace place;
    place.kind = kind;
    place.api = fake.api();
    place.repository = "team/shop";
    const bool gitlab = kind == ForgeKind::gitlab;
    fake.have(gitlab ? "/projects/team%2Fshop/merge_requests/7" : "/repos/team/shop/pulls/7",
              gitlab ? R"({"state":"opened","source_branch":"topic","target_branch":"main"})"
                     : R"({"state":"open","head":{"ref":"topic"},"base":{"ref":"main"}})");
    const auto found = find_merge_request(place, 7, FakeForge::kToken, {}, {});
    ASSERT_TRUE(found) << to_string(kind);
    EXPECT_EQ(found->target_branch, "main");
    EXPECT_FALSE(find_merge_request(place, 8, FakeForge::kToken, {}, {}));
    try {
      find_merge_request(place, 7, "wrong", {}, {});
      FAIL() << "it was let in";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unavailable);
      EXPECT_THAT(error.what(), HasSubstr("merge request 7: HTTP 401"));
    }
    EXPECT_THAT(fake.complaints(), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace runner::forge
