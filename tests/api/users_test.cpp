// Users, and the life of their tokens.
#include <nlohmann/json.hpp>

#include "runner/storage/access_token.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using storage::Role;
using ::testing::ElementsAre;

TEST_F(ApiTest, UsersAreAddedListedAndChanged) {
  const Asked added = ask("POST", "/api/v1/users", R"({"name":"kim@x.org","role":"developer"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(added.json(),
            json::parse(R"({"name":"kim@x.org","role":"developer","groups":[],"grants":[],"disabled":false,)"
                        R"("created_at":"2026-02-23T11:00:00.123Z","disabled_at":null})"));
  EXPECT_EQ(ask("POST", "/api/v1/users", R"({"name":"kim@x.org","role":"viewer"})").status, 409);
  std::vector<std::string> names;
  const json list = ask("GET", "/api/v1/users").json();
  for (const auto& user : list.at("items")) names.push_back(user.at("name"));
  EXPECT_THAT(names, ElementsAre("anna", "dora", "kim@x.org", "vera"));
  EXPECT_EQ(
      ask("PATCH", "/api/v1/users/kim@x.org", R"({"role":"viewer","disabled":true})").json(),
      json::parse(R"({"name":"kim@x.org","role":"viewer","groups":[],"grants":[],"disabled":true,)"
                  R"("created_at":"2026-02-23T11:00:00.123Z","disabled_at":"2026-02-23T11:00:00.123Z"})"));
  EXPECT_EQ(ask("PATCH", "/api/v1/users/kim@x.org", R"({"disabled":false})").json().at("disabled"), false);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/none", "{}").status, 404);
}

TEST_F(ApiTest, WrongUsersAreRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"name":"kim"})", "role"},
      {R"({"role":"viewer"})", "name"},
      {R"({"name":"kim","role":"king"})", "role"},
      {R"({"name":"Kim","role":"viewer"})", "name"},
      {R"({"name":"kim","role":"viewer","admin":true})", "admin"},
  };
  for (const auto& [body, field] : cases)
    EXPECT_THAT(ask("POST", "/api/v1/users", body).fields(), ElementsAre(field)) << body;
}

TEST_F(ApiTest, LastAdminStays) {
  EXPECT_EQ(ask("PATCH", "/api/v1/users/anna", R"({"disabled":true})").status, 409);
  EXPECT_EQ(ask("GET", "/api/v1/users").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/dora", R"({"role":"admin"})").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/anna", R"({"disabled":true})").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/users").status, 401);
}

TEST_F(ApiTest, NobodyChangesTheirOwnRights) {
  for (const char* body :
       {R"({"role":"viewer"})", R"({"role":"admin"})", R"({"groups":["ops"]})", R"({"grants":["deploy"]})"}) {
    const Asked asked = ask("PATCH", "/api/v1/users/anna", body);
    EXPECT_EQ(asked.status, 403) << body;
    EXPECT_THAT(asked.body, ::testing::HasSubstr("nobody changes their own role, groups or grants"));
  }
}

TEST_F(ApiTest, GroupsAreGivenReplacedAndTakenAway) {
  const auto groups = [&](const char* method, const std::string& path, const std::string& body) {
    return ask(method, path, body).json().at("groups");
  };
  EXPECT_EQ(groups("POST", "/api/v1/users", R"({"name":"kim","role":"viewer","groups":["web","ops","ops"]})"),
            json({"ops", "web"}));
  EXPECT_EQ(groups("PATCH", "/api/v1/users/kim", R"({"role":"developer"})"), json({"ops", "web"}));
  EXPECT_EQ(groups("PATCH", "/api/v1/users/kim", R"({"groups":["leads"]})"), json({"leads"}));
  const json list = ask("GET", "/api/v1/users").json();
  for (const auto& user : list.at("items"))
    EXPECT_EQ(user.at("groups"), user.at("name") == "kim" ? json({"leads"}) : json::array());
  EXPECT_EQ(groups("PATCH", "/api/v1/users/kim", R"({"groups":[]})"), json::array());
  EXPECT_THAT(ask("PATCH", "/api/v1/users/kim", R"({"groups":["Ops"]})").fields(), ElementsAre("groups"));
  EXPECT_THAT(ask("PATCH", "/api/v1/users/kim", R"({"groups":"ops"})").fields(), ElementsAre("groups"));
}

TEST_F(ApiTest, TokenIsShownOnceAndWorks) {
  const Asked made = ask("POST", "/api/v1/users/dora/tokens", R"({"name":"laptop","role":"viewer"})", "dora");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("cache-control"), "no-store");
  const std::string token = made.json().at("token");
  EXPECT_TRUE(storage::is_token(token));
  EXPECT_EQ(made.json().at("expires_at"), nullptr);
  const Asked list = ask("GET", "/api/v1/users/dora/tokens", "", "dora");
  EXPECT_EQ(list.json().at("items").size(), 2U);
  EXPECT_EQ(list.body.find(token), std::string::npos);
  EXPECT_EQ(list.body.find(storage::token_hash(token)), std::string::npos);
  EXPECT_EQ(list.json().at("items").at(1).at("last_used_at"), nullptr);
  // Its own role counts, not that of the user.
  EXPECT_EQ(ask("GET", "/api/v1/projects", "", token).status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/pipelines", "", token).status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/users/dora/tokens", "", "dora").json().at("items").at(1).at("last_used_at"),
            "2026-02-23T11:00:00.123Z");
}

TEST_F(ApiTest, TokenEndsWithItsTimeItsUserAndWithRevocation) {
  const auto make = [&](const std::string& body) { return ask("POST", "/api/v1/users/dora/tokens", body); };
  const auto works = [&](const Asked& made) {
    return ask("GET", "/api/v1/projects", "", made.json().at("token")).status;
  };
  const Asked brief = make(R"({"name":"a","expires_in_days":2})");
  const Asked lasting = make(R"({"name":"b"})");
  EXPECT_EQ(brief.json().at("expires_at"), "2026-02-25T11:00:00.123Z");
  EXPECT_EQ(works(brief), 200);
  clock_.pass(std::chrono::hours(48));
  EXPECT_EQ(works(brief), 401);
  EXPECT_EQ(works(lasting), 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/dora", R"({"disabled":true})").status, 200);
  EXPECT_EQ(works(lasting), 401);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/dora", R"({"disabled":false})").status, 200);
  EXPECT_EQ(works(lasting), 200);
  const std::string path = "/api/v1/tokens/" + std::to_string(lasting.json().at("id").get<int>());
  EXPECT_EQ(ask("DELETE", path, "", "vera").status, 403);
  EXPECT_EQ(ask("DELETE", path, "", "dora").status, 204);
  EXPECT_EQ(works(lasting), 401);
  EXPECT_EQ(ask("DELETE", path).status, 204);  // once more is fine
  const json items = ask("GET", "/api/v1/users/dora/tokens").json().at("items");
  EXPECT_EQ(items.at(2).at("revoked_at"), "2026-02-25T11:00:00.123Z");
}

TEST_F(ApiTest, NobodyMakesMoreOfThemselvesThanTheyAre) {
  EXPECT_THAT(ask("POST", "/api/v1/users/dora/tokens", R"({"name":"a","role":"admin"})", "dora").fields(),
              ElementsAre("role"));
  EXPECT_THAT(ask("POST", "/api/v1/users/dora/tokens", R"({"name":"a","role":"admin"})", "anna").fields(),
              ElementsAre("role"));
  // A token of less than its user makes none of more.
  const std::string less = add_token(users_["anna"], Role::developer);
  EXPECT_EQ(ask("POST", "/api/v1/users/anna/tokens", R"({"name":"a","role":"admin"})", less).status, 422);
  const Asked made = ask("POST", "/api/v1/users/anna/tokens", R"({"name":"a"})", less);
  EXPECT_EQ(made.json().at("role"), "developer");
}

TEST_F(ApiTest, TokensOfOthersAreForAdmins) {
  for (const char* name : {"anna", "none"}) {
    const std::string path = std::string("/api/v1/users/") + name + "/tokens";
    EXPECT_EQ(ask("GET", path, "", "dora").status, 403);
    EXPECT_EQ(ask("POST", path, R"({"name":"a"})", "dora").status, 403);
  }
  EXPECT_EQ(ask("GET", "/api/v1/users/none/tokens").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/users/dora/tokens").status, 200);
  EXPECT_EQ(ask("DELETE", "/api/v1/tokens/999", "", "dora").status, 403);
}

TEST_F(ApiTest, WrongTokenWishesAreRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "name"},
      {R"({"name":" "})", "name"},
      {R"({"name":"a","expires_in_days":0})", "expires_in_days"},
      {R"({"name":"a","expires_in_days":3651})", "expires_in_days"},
      {R"({"name":"a","role":"boss"})", "role"},
      {R"({"name":"a","token":"rnr_mine"})", "token"},
  };
  for (const auto& [body, field] : cases)
    EXPECT_THAT(ask("POST", "/api/v1/users/dora/tokens", body).fields(), ElementsAre(field)) << body;
}

TEST_F(ApiTest, TokensAreListedPageByPage) {
  for (int at = 0; at < 4; ++at) add_token(users_["dora"], Role::viewer);
  std::vector<int> ids;
  std::string query = "?limit=2";
  for (;;) {
    const json page = ask("GET", "/api/v1/users/dora/tokens" + query, "", "dora").json();
    for (const auto& token : page.at("items")) ids.push_back(token.at("id"));
    if (page.at("next").is_null()) break;
    query = "?limit=2&cursor=" + page.at("next").get<std::string>();
  }
  EXPECT_EQ(ids.size(), 5U);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

}  // namespace
}  // namespace runner::api
