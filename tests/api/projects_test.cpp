// Projects: their fields, their credentials, what is refused.
#include <nlohmann/json.hpp>

#include "runner/storage/credential_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/project_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kKey = "-----BEGIN OPENSSH PRIVATE KEY-----\\nabc\\n-----END-----\\n";

class ApiProjectTest : public ApiTest {
 protected:
  /// "KIND USER SECRET" of each credential.
  std::vector<std::string> secrets(const std::string& project) {
    std::vector<std::string> found;
    store_->read([&](storage::Tx& tx) {
      storage::Credentials credentials(tx, sealer_);
      const auto record = storage::Projects(tx).find(project);
      for (const auto& each : credentials.of_project(record->id))
        found.push_back(std::string(to_string(each.kind)) + " " + each.username + " " +
                        std::string(credentials.open(each.id)->text()));
    });
    return found;
  }
};

TEST_F(ApiProjectTest, AddedProjectIsShownWithoutItsSecrets) {
  const Asked added = ask("POST", "/api/v1/projects",
                          R"({"name":"blog","url":"https://forge.example/blog.git","branches":["main","v*"],)"
                          R"("tags":["v*"],"pipeline_file":"ci/all.yml","poll_interval_seconds":0,)"
                          R"("username":"bot","token":"t0ken","webhook_secret":"h00k"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(added.headers.at("location"), "/api/v1/projects/blog");
  EXPECT_EQ(added.headers.at("cache-control"), "no-store");
  EXPECT_EQ(
      added.json(),
      json::parse(
          R"({"name":"blog","url":"https://forge.example/blog.git","branches":["main","v*"],)"
          R"("tags":["v*"],"pipeline_file":"ci/all.yml","poll_interval_seconds":0,)"
          R"("paused":false,"forge":null,"forge_api":null,"forge_repository":null,)"
          R"("merge_requests":false,"priority":0,"statuses":{"forge":"none","api":"","repository":"","waiting":0,)"
          R"("delivered_at":null,"failed_at":null,"failure":""},"created_at":"2026-02-23T11:00:00.123Z","credentials":[)"
          R"({"kind":"token","username":"bot","created_at":"2026-02-23T11:00:00.123Z"},)"
          R"({"kind":"webhook_secret","username":"","created_at":"2026-02-23T11:00:00.123Z"}],"last_look":null})"));
  EXPECT_EQ(ask("GET", added.headers.at("location"), "", "vera").json(), added.json());
  EXPECT_THAT(secrets("blog"), ElementsAre("token bot t0ken", "webhook_secret  h00k"));
  EXPECT_THAT(actions_.take(), ElementsAre("projects changed"));
  store_->read([&](storage::Tx& tx) {
    const auto events = storage::EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, "project.created");
    EXPECT_EQ(json::parse(events[0].payload), json::parse(R"({"project":"blog","by":"anna"})"));
  });
}

TEST_F(ApiProjectTest, TheForgeIsSaidAndTakenBack) {
  const json added =
      ask("POST", "/api/v1/projects",
          R"({"name":"a","url":"https://forge.example/team/a.git","forge":"gitea","forge_token":"f0rge",)"
          R"("merge_requests":true})")
          .json();
  EXPECT_EQ(added.at("forge"), "gitea");
  EXPECT_EQ(added.at("merge_requests"), true);
  EXPECT_EQ(added.at("statuses").at("api"), "https://forge.example/api/v1");
  EXPECT_EQ(added.at("statuses").at("repository"), "team/a");
  EXPECT_THAT(secrets("a"), ElementsAre("forge_token  f0rge"));
  json changed = ask("PATCH", "/api/v1/projects/a",
                     R"({"forge_api":"https://forge.example/sub/api/v1","forge_repository":"b/a",)"
                     R"("token":"t0ken"})")
                     .json();
  EXPECT_EQ(changed.at("statuses").at("api"), "https://forge.example/sub/api/v1");
  EXPECT_EQ(changed.at("forge_repository"), "b/a");
  EXPECT_THAT(secrets("a"), ElementsAre("forge_token  f0rge", "token  t0ken"));
  changed = ask("PATCH", "/api/v1/projects/a",
                R"({"forge":null,"forge_api":null,"forge_repository":"","forge_token":null,)"
                R"("merge_requests":false})")
                .json();
  EXPECT_TRUE(changed.at("forge").is_null());
  EXPECT_EQ(changed.at("statuses").at("forge"), "none");
  EXPECT_EQ(changed.at("merge_requests"), false);
  EXPECT_THAT(secrets("a"), ElementsAre("token  t0ken"));
}

TEST_F(ApiProjectTest, ThePriorityIsASmallNumberThatAdminsChange) {
  const json added =
      ask("POST", "/api/v1/projects", R"({"name":"a","url":"git@forge:a/b.git","priority":-100})").json();
  EXPECT_EQ(added.at("priority"), -100);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/a", R"({"priority":100})").json().at("priority"), 100);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/a", R"({"priority":1})", "dora").status, 403);
  for (const char* wrong : {"101", "-101", "1.5", "\"1\"", "null"}) {
    const Asked asked = ask("PATCH", "/api/v1/projects/a", std::string(R"({"priority":)") + wrong + "}");
    EXPECT_EQ(asked.status, 422) << wrong;
    EXPECT_THAT(asked.fields(), ElementsAre("priority")) << wrong;
  }
  EXPECT_EQ(ask("GET", "/api/v1/projects/a").json().at("priority"), 100);
}

TEST_F(ApiProjectTest, DefaultsAreThoseOfTheStore) {
  const json project = ask("POST", "/api/v1/projects", R"({"name":"a","url":"git@forge:a/b.git"})").json();
  EXPECT_EQ(project.at("branches"), json::parse(R"(["develop","main"])"));
  EXPECT_EQ(project.at("tags"), json::array());
  EXPECT_EQ(project.at("pipeline_file"), ".gitlab-ci.yml");
  EXPECT_EQ(project.at("poll_interval_seconds"), 30);
}

TEST_F(ApiProjectTest, WrongFieldsAreNamed) {
  struct Case {
    std::string body, field, message;
  };
  const std::string good = R"("name":"a","url":"https://h/a")";
  const Case cases[] = {
      {"", "url", "needed"},
      {R"({"name":"a"})", "url", "needed"},
      {R"({"url":"https://h/a"})", "name", "needed"},
      {"{" + good + R"(,"brnches":[]})", "brnches", "did you mean 'branches'"},
      {"{" + good + R"(,"paused":true})", "paused", "no such field"},
      {"{" + good + R"(,"name":"b"})", "name", "twice"},
      {R"({"name":"A","url":"https://h/a"})", "name", "lower-case"},
      {R"({"name":7,"url":"https://h/a"})", "name", "must be a text, and is a number"},
      {R"({"name":null,"url":"https://h/a"})", "name", "must be a text, and is null"},
      {R"({"name":"a\u0000","url":"https://h/a"})", "name", "zero byte"},
      {R"({"name":"a","url":""})", "url", "empty"},
      {R"({"name":"a","url":"https://u:p@h/a"})", "url", "leave them out"},
      {R"({"name":"a","url":"https://token@h/a"})", "url", "leave them out"},
      {R"({"name":"a","url":"ext::sh -c x"})", "url", "blanks"},
      {R"({"name":"a","url":"--upload-pack=x"})", "url", "'-'"},
      {R"({"name":"a","url":"ftp://h/a"})", "url", "scheme"},
      {R"({"name":"a","url":"relative/path"})", "url", "must be"},
      {"{" + good + R"(,"branches":"main"})", "branches", "list"},
      {"{" + good + R"(,"branches":["a",1]})", "branches[1]", "must be a text"},
      {"{" + good + R"(,"tags":[""]})", "tags[0]", "empty"},
      {"{" + good + R"(,"tags":["a\nb"]})", "tags[0]", "control"},
      {"{" + good + R"(,"pipeline_file":"../x"})", "pipeline_file", "'..'"},
      {"{" + good + R"(,"pipeline_file":"/etc/passwd"})", "pipeline_file", "inside"},
      {"{" + good + R"(,"forge":"bitbucket"})", "forge", "gitlab"},
      {"{" + good + R"(,"forge_api":"git.example.com"})", "forge_api", "address of an API"},
      {"{" + good + R"(,"forge_api":"https://u:p@git.example.com"})", "forge_api", "password"},
      {"{" + good + R"(,"forge_repository":"shop"})", "forge_repository", "team/shop"},
      {"{" + good + R"(,"forge_token":"a\nb"})", "forge_token", "line breaks"},
      {"{" + good + R"(,"merge_requests":"on"})", "merge_requests", "true"},
      {"{" + good + R"(,"poll_interval_seconds":-1})", "poll_interval_seconds", "from 0"},
      {"{" + good + R"(,"poll_interval_seconds":1.5})", "poll_interval_seconds", "whole number"},
      {"{" + good + R"(,"poll_interval_seconds":18446744073709551615})", "poll_interval_seconds",
       "whole number"},
      {"{" + good + R"(,"poll_interval_seconds":"5"})", "poll_interval_seconds", "whole number"},
      {"{" + good + R"(,"username":"u"})", "username", "goes with"},
      {"{" + good + R"(,"token":"a\nb"})", "token", "line breaks"},
      {"{" + good + R"(,"ssh_key":"/root/.ssh/id"})", "ssh_key", "not a path"},
      {"{" + good + R"(,"token":"t","ssh_key":")" + kKey + "\"}", "ssh_key", "not both"},
      {"[]", "", "must be a JSON object"},
      {"{", "", "no JSON"},
      {"{\"name\":\"\xff\"}", "", "no JSON"},
      {R"({"name":[[[]]]})", "", "nested"},
      {std::string(100'000, '['), "", "nested"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.body.substr(0, 200));
    const Asked asked = ask("POST", "/api/v1/projects", each.body);
    EXPECT_EQ(asked.status, 422);
    EXPECT_THAT(asked.fields(), ::testing::Contains(each.field));
    EXPECT_THAT(asked.body, HasSubstr(each.message));
  }
  EXPECT_THAT(actions_.take(), IsEmpty());
}

TEST_F(ApiProjectTest, BodyThatIsNoJsonIsNotTold) {
  const Asked asked = ask("POST", "/api/v1/projects", R"({"token":"s3cret\x"})");
  EXPECT_EQ(asked.status, 422);
  EXPECT_THAT(asked.body, HasSubstr("from byte 18 on"));
  EXPECT_EQ(asked.body.find("s3cret"), std::string::npos);
  EXPECT_EQ(ask("POST", "/api/v1/projects", R"({"poll_interval_seconds":1e999})").status, 422);
}

TEST_F(ApiProjectTest, AllThatIsWrongIsToldAtOnce) {
  const Asked asked = ask("POST", "/api/v1/projects", R"({"name":"B","poll_interval_seconds":-1,"more":1})");
  EXPECT_THAT(asked.fields(),
              ::testing::UnorderedElementsAre("name", "url", "poll_interval_seconds", "more"));
}

TEST_F(ApiProjectTest, NameThatIsTakenAndBodyTooLargeAreRefused) {
  EXPECT_EQ(ask("POST", "/api/v1/projects", R"({"name":"shop","url":"https://h/a"})").status, 409);
  EXPECT_EQ(ask("POST", "/api/v1/projects", std::string(300U << 10U, ' ')).status, 413);
}

TEST_F(ApiProjectTest, ChangeTouchesOnlyWhatIsGiven) {
  const json before = ask("GET", "/api/v1/projects/shop").json();
  json wanted = before;
  wanted["paused"] = true;
  wanted["branches"] = {"x"};
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"paused":true,"branches":["x"]})").json(), wanted);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", "{}").json(), wanted);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"name":"x"})").status, 422);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"paused":null})").status, 422);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/none", "{}").status, 404);
}

TEST_F(ApiProjectTest, CredentialsTakeEachOthersPlaceAndGoWithNull) {
  const auto change = [&](const std::string& body) {
    const Asked asked = ask("PATCH", "/api/v1/projects/shop", body);
    EXPECT_EQ(asked.status, 200) << asked.body;
    EXPECT_EQ(asked.body.find("s3cret"), std::string::npos);
    return secrets("shop");
  };
  EXPECT_THAT(change(R"({"username":"bot","token":"s3cret1"})"), ElementsAre("token bot s3cret1"));
  EXPECT_THAT(change(R"({"token":"s3cret2"})"), ElementsAre("token bot s3cret2"));
  EXPECT_THAT(change(R"({"username":"two"})"), ElementsAre("token two s3cret2"));
  EXPECT_THAT(change(R"({"webhook_secret":"s3cret3"})"),
              ElementsAre("token two s3cret2", "webhook_secret  s3cret3"));
  EXPECT_THAT(change(R"({"webhook_secret":"s3cret4","token":null})"), ElementsAre("webhook_secret  s3cret4"));
  EXPECT_THAT(change(R"({"webhook_secret":""})"), IsEmpty());
  EXPECT_EQ(change(std::string(R"({"username":"git","ssh_key":")") + kKey + "\"}").size(), 1U);
  EXPECT_THAT(change(R"({"ssh_key":null})"), IsEmpty());
  const Asked alone = ask("PATCH", "/api/v1/projects/shop", R"({"username":"git"})");
  EXPECT_EQ(alone.status, 422);
  EXPECT_THAT(alone.fields(), ElementsAre("username"));
}

TEST_F(ApiProjectTest, ProjectWithAnUnfinishedPipelineStays) {
  add_pipeline(pipelines::JobStatus::running);
  const Asked refused = ask("DELETE", "/api/v1/projects/shop");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("unfinished"));
  EXPECT_THAT(actions_.take(), IsEmpty());
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop", "{\"force\":true}").status, 422);
}

TEST_F(ApiProjectTest, RemovedProjectIsGone) {
  add_pipeline(pipelines::JobStatus::success);
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop").status, 204);
  EXPECT_EQ(ask("GET", "/api/v1/projects/shop").status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop").status, 404);
  EXPECT_THAT(actions_.take(), ElementsAre("projects changed"));
}

TEST_F(ApiProjectTest, ListGoesPageByPage) {
  for (const char* name : {"a", "b", "c", "d"}) add_project(name);
  std::vector<std::string> names;
  std::string query = "?limit=2";
  int pages = 0;
  for (;;) {
    const json page = ask("GET", "/api/v1/projects" + query, "", "vera").json();
    for (const auto& project : page.at("items")) names.push_back(project.at("name"));
    ++pages;
    if (page.at("next").is_null()) break;
    query = "?limit=2&cursor=" + page.at("next").get<std::string>();
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "c", "d", "shop"));
  EXPECT_EQ(pages, 3);
  // Exactly full: there is no next page.
  EXPECT_TRUE(ask("GET", "/api/v1/projects?limit=5").json().at("next").is_null());
}

TEST_F(ApiProjectTest, QueriesThatMakeNoSenseAreRefused) {
  const std::string of_users =
      (add_user("zoe", storage::Role::viewer), ask("GET", "/api/v1/users?limit=1").json().at("next"));
  const std::pair<std::string, std::string> cases[] = {
      {"limit=0", "limit"},         {"limit=101", "limit"},           {"limit=x", "limit"},
      {"limit=1&limit=2", "limit"}, {"cursor=zz", "cursor"},          {"cursor=", "cursor"},
      {"cursor=6162", "cursor"},    {"cursor=" + of_users, "cursor"}, {"page=2", "page"},
  };
  for (const auto& [query, field] : cases) {
    const Asked asked = ask("GET", "/api/v1/projects?" + query);
    EXPECT_EQ(asked.status, 422) << query;
    EXPECT_THAT(asked.fields(), ElementsAre(field)) << query;
  }
}

TEST_F(ApiProjectTest, ReachIsToldAsItIs) {
  actions_.reach = {.ok = false, .why = "no such host; look at the address", .branches = 0, .tags = 0};
  const Asked asked = ask("POST", "/api/v1/projects/shop/test");
  EXPECT_EQ(asked.json(), json::parse(R"({"ok":false,"why":"no such host; look at the address",)"
                                      R"("branches":0,"tags":0,"milliseconds":0,"statuses":{"forge":"none",)"
                                      R"("api":"","repository":"","waiting":0,"delivered_at":null,)"
                                      R"("failed_at":null,"failure":""}})"));
  EXPECT_THAT(actions_.take(), ElementsAre("test shop"));
  EXPECT_EQ(ask("POST", "/api/v1/projects/none/test").status, 404);
}

TEST_F(ApiProjectTest, TheLastLookIsToldWithTheProject) {
  EXPECT_TRUE(ask("GET", "/api/v1/projects/shop").json().at("last_look").is_null());
  actions_.look = LookReport{clock_.now(), {}, "401; check the token"};
  EXPECT_EQ(ask("GET", "/api/v1/projects/shop").json().at("last_look"),
            json::parse(
                R"({"ok":false,"at":"2026-02-23T11:00:00.123Z","ok_at":null,"why":"401; check the token"})"));
  actions_.look = LookReport{clock_.now(), clock_.now(), ""};
  EXPECT_EQ(ask("GET", "/api/v1/projects").json().at("items").at(0).at("last_look").at("ok"), true);
}

TEST_F(ApiProjectTest, WhatIsNotThereIsAProblem) {
  EXPECT_EQ(ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/projects/%ff").status, 404);
  const Asked put = ask("PUT", "/api/v1/projects/shop");
  EXPECT_EQ(put.status, 405);
  EXPECT_EQ(put.headers.at("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH");
}

}  // namespace
}  // namespace runner::api
