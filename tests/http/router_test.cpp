#include "runner/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"
#include "runner/http/target.h"

namespace runner::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Response nothing(const Request&) {
  return {};
}

Router example() {
  Router router;
  router.add({"GET", "/", "root", nothing});
  router.add({"GET", "/api/v1/projects", "projects", nothing});
  router.add({"POST", "/api/v1/projects", "project.create", nothing});
  router.add({"GET", "/api/v1/projects/{project}", "project", nothing});
  router.add({"DELETE", "/api/v1/projects/{id}", "project.delete", nothing});
  router.add({"POST", "/api/v1/projects/import", "project.import", nothing});
  router.add({"GET", "/api/v1/projects/{project}/pipelines/{number}", "pipeline", nothing});
  router.add({"GET", "/api/v1/projects/all/pipelines", "pipelines.all", nothing});
  router.add({"GET", "/files/{path...}", "files", nothing});
  router.add({"GET", "/files/list", "files.list", nothing});
  return router;
}

struct Case {
  const char* name;
  const char* method;
  const char* path;
  const char* route;  // "": none
  std::map<std::string, std::string, std::less<>> parameters;
  std::vector<std::string> allow;
};

struct RouterTest : ::testing::TestWithParam<Case> {};

TEST_P(RouterTest, FindsTheRoute) {
  const Router router = example();
  const Case& tested = GetParam();
  const auto target = parse_target(tested.path);
  ASSERT_TRUE(target);
  const Match match = router.match(tested.method, target->segments);
  EXPECT_EQ(match.route == nullptr ? "" : match.route->name, tested.route);
  EXPECT_EQ(match.parameters, tested.parameters);
  EXPECT_EQ(match.allow, tested.allow);
}

const std::vector<std::string> kRead = {"GET", "HEAD", "OPTIONS"};

INSTANTIATE_TEST_SUITE_P(
    Paths, RouterTest,
    ::testing::Values(
        Case{"Root", "GET", "/", "root", {}, kRead}, Case{"RootByAnotherMethod", "POST", "/", "", {}, kRead},
        Case{"Word", "GET", "/api/v1/projects", "projects", {}, {"GET", "HEAD", "OPTIONS", "POST"}},
        Case{"TrailingSlash", "GET", "/api/v1/projects/", "", {}, {}},
        Case{"DoubleSlash", "GET", "/api/v1//projects", "", {}, {}},
        Case{"Prefix", "GET", "/api/v1", "", {}, {}}, Case{"Case", "GET", "/API/v1/projects", "", {}, {}},
        Case{"Parameter",
             "GET",
             "/api/v1/projects/a",
             "project",
             {{"project", "a"}},
             {"DELETE", "GET", "HEAD", "OPTIONS"}},
        Case{"OwnNamesOfAMethod",
             "DELETE",
             "/api/v1/projects/a",
             "project.delete",
             {{"id", "a"}},
             {"DELETE", "GET", "HEAD", "OPTIONS"}},
        Case{"EncodedSlash",
             "GET",
             "/api/v1/projects/g%2Fp",
             "project",
             {{"project", "g/p"}},
             {"DELETE", "GET", "HEAD", "OPTIONS"}},
        Case{"EncodedWord", "GET", "/api/v1/%70rojects", "projects", {}, {"GET", "HEAD", "OPTIONS", "POST"}},
        Case{"WordBeforeParameter",
             "POST",
             "/api/v1/projects/import",
             "project.import",
             {},
             {"DELETE", "GET", "HEAD", "OPTIONS", "POST"}},
        Case{"ParameterWhenTheWordHasNotTheMethod",
             "GET",
             "/api/v1/projects/import",
             "project",
             {{"project", "import"}},
             {"DELETE", "GET", "HEAD", "OPTIONS", "POST"}},
        Case{"BackFromAWord",
             "GET",
             "/api/v1/projects/all/pipelines/7",
             "pipeline",
             {{"project", "all"}, {"number", "7"}},
             kRead},
        Case{"HeadIsGet",
             "HEAD",
             "/api/v1/projects/a",
             "project",
             {{"project", "a"}},
             {"DELETE", "GET", "HEAD", "OPTIONS"}},
        Case{"Rest", "GET", "/files/a/b%2Fc/d", "files", {{"path", "a/b/c/d"}}, kRead},
        Case{"RestOfOne", "GET", "/files/a", "files", {{"path", "a"}}, kRead},
        Case{"RestIsNeverEmpty", "GET", "/files/", "", {}, {}},
        Case{"WordBeforeRest", "GET", "/files/list", "files.list", {}, kRead},
        Case{"LowerCaseMethod", "get", "/", "", {}, kRead}),
    [](const ::testing::TestParamInfo<Case>& tested) { return tested.param.name; });

TEST(Router, ListsItsRoutesInTheirOrder) {
  const Router router = example();
  const std::vector<RouteInfo> table = router.table();
  ASSERT_EQ(table.size(), 10U);
  EXPECT_EQ(table[4].method, "DELETE");
  EXPECT_EQ(table[4].pattern, "/api/v1/projects/{id}");
  EXPECT_EQ(table[4].name, "project.delete");
}

TEST(Router, RefusesRoutesThatCannotBeMeant) {
  struct Wrong {
    const char* method;
    const char* pattern;
    const char* name;
    ErrorCode code;
  };
  const Wrong wrongs[] = {
      {"GET", "/api/v1/projects", "again", ErrorCode::conflict},
      {"GET", "/api/v1/projects/{other}", "again", ErrorCode::conflict},
      {"GET", "/new", "projects", ErrorCode::conflict},
      {"get", "/new", "new", ErrorCode::invalid_input},
      {"GET", "new", "new", ErrorCode::invalid_input},
      {"GET", "/{a}/{a}", "new", ErrorCode::invalid_input},
      {"GET", "/{a...}/b", "new", ErrorCode::invalid_input},
      {"GET", "/{a", "new", ErrorCode::invalid_input},
      {"GET", "/{}", "new", ErrorCode::invalid_input},
      {"GET", "/a{b}", "new", ErrorCode::invalid_input},
      {"GET", "/new", "", ErrorCode::invalid_input},
  };
  for (const Wrong& wrong : wrongs) {
    Router router = example();
    try {
      router.add({wrong.method, wrong.pattern, wrong.name, nothing});
      ADD_FAILURE() << wrong.method << " " << wrong.pattern << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), wrong.code) << error.what();
    }
  }
}

TEST(Target, IsTakenApart) {
  const auto target = parse_target("/a%20b//c%2Fd/?x=1&y=a+b%26&x=2&&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a%20b//c%2Fd/");
  EXPECT_THAT(target->segments, ElementsAre("a b", "", "c/d", ""));
  EXPECT_THAT(target->query,
              ElementsAre(Pair("flag", ""), Pair("x", "1"), Pair("x", "2"), Pair("y", "a b&")));
  EXPECT_THAT(parse_target("https://host:1?q=1")->segments, ElementsAre(""));
  EXPECT_THAT(parse_target("*")->segments, IsEmpty());
  EXPECT_THAT(parse_target("/.../a..b%2f..c")->segments, ElementsAre("...", "a..b/..c"));
}

TEST(Target, IsRefusedWhenItCannotBeRead) {
  for (const char* target : {"", "a", "//..", "/%", "/%1", "/%g1", "/%00", "/a/./b", "/%2e%2e/a",
                             "/a%2F..%2Fb", "/..%2fb", "/a%2f.", "/a?%zz", "/a#b", "ftp://x/"})
    EXPECT_FALSE(parse_target(target)) << target;
}

TEST(Target, LosesItsValuesInLogs) {
  EXPECT_EQ(loggable("/a/b?token=x&page=2&bare"), "/a/b?token&page");
  EXPECT_EQ(loggable("/a"), "/a");
}

}  // namespace
}  // namespace runner::http
