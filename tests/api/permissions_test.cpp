// Every action by everybody, for everything it may be about: what is expected is reckoned from the table of
// rights, and the real API is asked.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "runner/base/text.h"
#include "runner/storage/audit_table.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/role_table.h"
#include "runner/storage/schedule_table.h"
#include "tests/api/environment_fixture.h"

namespace runner::api {
namespace {

using storage::Grant;
using storage::Permission;
using storage::Role;
using ::testing::HasSubstr;

/// What an action is about.
enum class About : std::uint8_t { all, any_project, project, environment };

struct Action {
  const char* method;
  const char* path;  // P: pipeline, J: job, S: schedule, D: deployment, by their ids
  Permission needs;
  About about;
};

constexpr auto kProject = About::project;
constexpr auto kEnvironment = About::environment;
constexpr Action kActions[] = {
    {"GET", "/projects", Permission::monitor, About::any_project},
    {"GET", "/projects/shop", Permission::monitor, kProject},
    {"GET", "/projects/shop/pipelines", Permission::monitor, kProject},
    {"GET", "/projects/shop/resource_groups", Permission::monitor, kProject},
    {"GET", "/projects/shop/schedules", Permission::monitor, kProject},
    {"GET", "/projects/shop/environments", Permission::monitor, kProject},
    {"GET", "/projects/shop/environments/production", Permission::monitor, kEnvironment},
    {"GET", "/projects/shop/environments/production/deployments", Permission::monitor, kEnvironment},
    {"GET", "/deployments/D", Permission::monitor, kEnvironment},
    {"GET", "/deployments/D/plan", Permission::monitor, kEnvironment},
    {"GET", "/deployments/D/diff", Permission::monitor, kEnvironment},
    {"GET", "/projects/shop/environments/production/diff", Permission::monitor, kEnvironment},
    {"GET", "/pipelines/P", Permission::monitor, kProject},
    {"GET", "/jobs/J", Permission::monitor, kProject},
    {"GET", "/jobs/J/artifacts", Permission::monitor, kProject},
    {"GET", "/schedules/S", Permission::monitor, kProject},
    {"GET", "/jobs/J/log", Permission::view_logs, kProject},
    {"POST", "/projects/shop/pipelines", Permission::deploy, kProject},
    {"POST", "/pipelines/P/cancel", Permission::deploy, kProject},
    {"POST", "/pipelines/P/retry", Permission::deploy, kProject},
    {"POST", "/jobs/J/play", Permission::deploy, kProject},
    {"POST", "/jobs/J/retry", Permission::deploy, kProject},
    {"POST", "/jobs/J/cancel", Permission::deploy, kProject},
    {"POST", "/projects/shop/schedules", Permission::deploy, kProject},
    {"GET", "/projects/shop/variables", Permission::deploy, kProject},
    {"POST", "/projects/shop/variables", Permission::deploy, kProject},
    {"GET", "/projects/shop/variables/NONE", Permission::deploy, kProject},
    {"DELETE", "/projects/shop/variables/NONE", Permission::deploy, kProject},
    {"POST", "/deployments/D/resolve", Permission::deploy, kEnvironment},
    {"POST", "/deployments/D/break-glass", Permission::rollback, kEnvironment},
    {"POST", "/projects/shop/environments/production/unlock", Permission::rollback, kEnvironment},
    {"PUT", "/projects/shop/environments/production", Permission::manage_roles, kEnvironment},
    {"PATCH", "/projects/shop", Permission::manage_roles, kProject},
    {"POST", "/projects/shop/test", Permission::manage_roles, kProject},
    {"PUT", "/projects/shop/resource_groups/g", Permission::manage_roles, kProject},
    {"POST", "/projects", Permission::manage_roles, About::all},
    {"PUT", "/roles/releaser", Permission::manage_roles, About::all},
    {"DELETE", "/roles/nothing", Permission::manage_roles, About::all},
    {"GET", "/users", Permission::manage_users, About::all},
    {"GET", "/users/anna/tokens", Permission::manage_users, About::all},
    {"DELETE", "/tokens/999", Permission::manage_users, About::all},
};

/// The rights of the table, once more and without the code under test.
bool covers(const Grant& grant, About about) {
  if (grant.project.empty()) return true;
  if (about == About::any_project) return grant.environment.empty();
  if (about == About::all || grant.project != "shop") return false;
  return grant.environment.empty() || (about == About::environment && grant.environment == "production");
}

std::set<Permission> meant_by(const std::string& right) {
  std::set<Permission> viewer{Permission::monitor, Permission::view_logs, Permission::view_metrics};
  std::set<Permission> developer = viewer;
  developer.insert(Permission::deploy);
  if (right == "none") return {};
  if (right == "viewer") return viewer;
  if (right == "developer") return developer;
  if (right == "admin") return {storage::kPermissions.begin(), storage::kPermissions.end()};
  if (right == "releaser") return {Permission::deploy, Permission::rollback};
  return {storage::parse_permission(right).value()};
}

struct PermissionsTest : ApiEnvironmentTest {
  PermissionsTest() {
    pipeline_of_shop = add_pipeline(pipelines::JobStatus::failed);
    job_id = add_job(pipeline_of_shop, 0, pipelines::JobStatus::failed).id;
    deployment_id = add("production");
    add_project("depot");
    store_->write([&](storage::Tx& tx) {
      storage::Roles(tx).put("releaser", {Permission::deploy, Permission::rollback});
      storage::ScheduleRecord schedule;
      schedule.project = shop_;
      schedule.owner = "anna";
      schedule_id = storage::Schedules(tx, sealer_).insert(schedule, "{}");
    });
  }
  std::string filled(const char* path) const {
    std::string text = path;
    for (const auto& [word, id] : std::map<std::string, std::int64_t>{
             {"/P", pipeline_of_shop}, {"/J", job_id}, {"/S", schedule_id}, {"/D", deployment_id}})
      if (text.ends_with(word) || text.find(word + "/") != std::string::npos)
        text = replace_all(text, word, "/" + std::to_string(id));
    return "/api/v1" + text;
  }
  void grant(const std::string& user, const std::vector<std::string>& grants) {
    std::set<Grant> all;
    for (const std::string& one : grants) all.insert(storage::parse_grant(one));
    store_->write([&](storage::Tx& tx) { storage::Grants(tx).put(users_[user], all); });
  }

  std::int64_t pipeline_of_shop = 0, job_id = 0, schedule_id = 0, deployment_id = 0;
};

TEST_F(PermissionsTest, EveryActionIsForExactlyThoseWhoHaveItsPermissionThere) {
  std::vector<std::string> rights{"none", "viewer", "developer", "admin", "releaser"};
  for (const Permission one : storage::kPermissions) rights.emplace_back(to_string(one));
  int cases = 0;
  users_["max"] = add_user("max", Role::none);
  tokens_["max"] = add_token(users_["max"], Role::none);
  for (const std::string& right : rights) {
    for (const char* place : {"", "@shop", "@shop/production", "@shop/staging", "@depot"}) {
      const std::string text = right + place;
      grant("max", {text});
      const Grant granted = storage::parse_grant(text);
      for (const Action& action : kActions) {
        SCOPED_TRACE(text + ": " + action.method + " " + action.path);
        const bool may = meant_by(right).count(action.needs) > 0 && covers(granted, action.about);
        const int status = ask(action.method, filled(action.path), "", "max").status;
        const bool refused =
            status == 403 || (status == 404 && filled(action.path) != std::string("/api/v1") + action.path);
        // To those who may do it somewhere, what they may not know of is not there.
        if (action.about == About::any_project && !may)
          EXPECT_TRUE(status == 403 || status == 200) << status;
        else if (may)
          EXPECT_FALSE(status == 403 || status == 401) << status;
        else
          EXPECT_TRUE(refused) << status;
        ++cases;
      }
    }
  }
  EXPECT_GT(cases, 2'000);
}

TEST_F(PermissionsTest, ListsShowWhatMayBeKnown) {
  grant("vera", {});
  store_->write([&](storage::Tx& tx) { storage::Users(tx).set_role(users_["vera"], Role::none); });
  EXPECT_EQ(ask("GET", "/api/v1/projects", "", "vera").status, 403);
  grant("vera", {"viewer@depot"});
  const nlohmann::json list = ask("GET", "/api/v1/projects", "", "vera").json();
  ASSERT_EQ(list.at("items").size(), 1U);
  EXPECT_EQ(list.at("items")[0].at("name"), "depot");
  const auto status_of_events = [&](const std::string& query) {
    http::testing::Client client = connect();
    client.send("GET /api/v1/events" + query + " HTTP/1.1\r\nHost: x\r\n" + shown("vera") + "\r\n");
    return client.read_head().status;
  };
  EXPECT_EQ(status_of_events(""), 403) << "they are of all projects";
  EXPECT_EQ(status_of_events("?project=shop"), 403);
  EXPECT_EQ(status_of_events("?project=depot"), 200);
  EXPECT_EQ(status_of_events("?project=depot&pipeline=" + std::to_string(pipeline_of_shop)), 404);
  // By their ids there are none of another project.
  EXPECT_EQ(ask("GET", filled("/pipelines/P"), "", "vera").status, 404);
  EXPECT_EQ(ask("GET", filled("/jobs/J/log"), "", "vera").status, 404);
}

TEST_F(PermissionsTest, ATokenMayNoMoreThanItsOwner) {
  grant("dora", {"rollback@shop/production"});
  const std::string own = tokens_["dora"];
  tokens_["low"] = add_token(users_["dora"], Role::viewer);
  const std::string unlock = "/api/v1/projects/shop/environments/production/unlock";
  EXPECT_EQ(ask("POST", unlock, R"({"reason":"x"})", "low").status, 403);
  EXPECT_EQ(ask("POST", unlock, R"({"reason":"x"})", "dora").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/projects", "", "low").status, 200);
  grant("dora", {});
  EXPECT_EQ(ask("POST", unlock, R"({"reason":"x"})", "dora").status, 403) << "at once";
}

TEST_F(PermissionsTest, ALimitedTokenOfSomebodyWithoutARoleMakesNoneThatMayMore) {
  users_["max"] = add_user("max", Role::none);
  tokens_["max"] = add_token(users_["max"], Role::none);
  grant("max", {"developer@shop"});
  const auto made_by = [&](const std::string& who, const std::string& more) {
    return ask("POST", "/api/v1/users/max/tokens", R"({"name":"x")" + more + "}", who);
  };
  const Asked looks = made_by("max", R"(,"role":"viewer")");
  ASSERT_EQ(looks.status, 201) << looks.body;
  tokens_["low"] = looks.json().at("token");
  EXPECT_EQ(made_by("low", R"(,"role":"none")").status, 422);
  EXPECT_EQ(made_by("low", R"(,"role":"developer")").status, 422);
  const Asked next = made_by("low", "");
  ASSERT_EQ(next.status, 201) << next.body;
  EXPECT_EQ(next.json().at("role"), "viewer");
  tokens_["next"] = next.json().at("token");
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/pipelines", "{}", "next").status, 403);
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/pipelines", "{}", "max").status, 201);
  EXPECT_EQ(made_by("max", "").json().at("role"), "none");
}

TEST_F(PermissionsTest, NobodyGetsMoreThanTheyHave) {
  // Whoever manages users only, and whoever manages roles only.
  store_->write([&](storage::Tx& tx) { storage::Users(tx).set_role(users_["dora"], Role::viewer); });
  grant("dora", {"manage_users"});
  grant("eli", {"manage_roles", "releaser"});
  const std::string name = R"({"name":"x"})";
  EXPECT_EQ(ask("POST", "/api/v1/users/anna/tokens", name, "dora").status, 403) << "she would be anna";
  EXPECT_EQ(ask("POST", "/api/v1/users/vera/tokens", name, "dora").status, 201);
  EXPECT_EQ(ask("POST", "/api/v1/users", R"({"name":"new","role":"admin"})", "dora").status, 403);
  EXPECT_EQ(
      ask("POST", "/api/v1/users", R"({"name":"new","role":"none","grants":["deploy"]})", "dora").status,
      403);
  EXPECT_EQ(ask("POST", "/api/v1/users", R"({"name":"new","role":"none"})", "dora").status, 201);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/new", R"({"disabled":true})", "dora").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/new", R"({"role":"viewer"})", "dora").status, 403);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/new", R"({"disabled":false})", "eli").status, 403);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/new", R"({"grants":["releaser@shop"]})", "eli").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/eli", R"({"grants":["admin"]})", "eli").status, 403);
  EXPECT_EQ(ask("PUT", "/api/v1/roles/releaser", R"({"permissions":["manage_users"]})", "eli").status, 403)
      << "it is a role of his own";
  EXPECT_EQ(ask("PUT", "/api/v1/roles/other", R"({"permissions":["manage_users"]})", "eli").status, 200);
}

TEST_F(PermissionsTest, RolesAreListedByNameInPages) {
  const nlohmann::json first = ask("GET", "/api/v1/roles?limit=3", "", "vera").json();
  std::vector<std::string> names;
  for (const auto& role : first.at("items")) names.push_back(role.at("name"));
  const nlohmann::json rest =
      ask("GET", "/api/v1/roles?cursor=" + first.at("next").get<std::string>()).json();
  for (const auto& role : rest.at("items")) names.push_back(role.at("name"));
  EXPECT_THAT(names, ::testing::ElementsAre("admin", "developer", "none", "releaser", "viewer"));
  EXPECT_EQ(rest.at("next"), nullptr);
}

TEST_F(PermissionsTest, RolesAreKeptWhileSomebodyHasThem) {
  grant("dora", {"releaser@shop"});
  const Asked refused = ask("DELETE", "/api/v1/roles/releaser");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("user 'dora' has the role"));
  grant("dora", {});
  EXPECT_EQ(ask("DELETE", "/api/v1/roles/releaser").status, 204);
  EXPECT_EQ(ask("DELETE", "/api/v1/roles/admin").status, 409);
  EXPECT_EQ(ask("PUT", "/api/v1/roles/admin", R"({"permissions":["deploy"]})").status, 422);
  EXPECT_EQ(ask("PUT", "/api/v1/roles/x", R"({"permissions":[]})").status, 422);
  EXPECT_EQ(ask("PUT", "/api/v1/roles/x", R"({"permissions":["fly"]})").status, 422);
  EXPECT_EQ(ask("PATCH", "/api/v1/users/dora", R"({"grants":["releaser@shop"]})").status, 422)
      << "it is gone";
  EXPECT_EQ(ask("PATCH", "/api/v1/users/dora", R"({"grants":["deploy@"]})").status, 422);
}

TEST_F(PermissionsTest, ProtectionsCountPermissionsAndRolesOfTheirEnvironment) {
  protect(R"({"approvals":{"rules":[{"name":"release","count":1,"who":["role:releaser"]},
                                    {"name":"back","count":1,"who":["permission:rollback"]}]}})");
  const std::int64_t id = add();
  grant("dan", {"releaser@shop/staging"});
  grant("eli", {"releaser@shop/production"});
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "dan").status, 403) << "that is another environment";
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "eli").status, 200);
  EXPECT_EQ(state(id), "waiting_approval") << "one person counts once";
  grant("dan", {"rollback@shop/production"});
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "dan").status, 200);
  grant("dan", {});
  EXPECT_EQ(ask("GET", path(id)).json().dump().find("\"met\":true,\"name\":\"back\""), std::string::npos)
      << "an approval counts by what its person may now";
  EXPECT_EQ(ask("PUT", kProduction, R"({"protection":{"deployers":["permission:fly"]}})").status, 422);
  EXPECT_EQ(ask("PUT", kProduction, R"({"protection":{"deployers":["role:nobody"]}})").status, 422);
}

TEST_F(PermissionsTest, VariablesThatReachWhatIsProtectedNeedMore) {
  protect(R"({"deployers":["user:anna"]})");
  const auto set = [&](const std::string& scope, const std::string& more, const std::string& who) {
    static int number = 0;
    return ask("POST", "/api/v1/projects/shop/variables",
               R"({"key":"K)" + std::to_string(++number) +
                   R"(","value":"long-enough-1","environment_scope":")" + scope + "\"" + more + "}",
               who)
        .status;
  };
  EXPECT_EQ(set("staging", "", "dora"), 201);
  EXPECT_EQ(set("staging", R"(,"protected":true)", "dora"), 403);
  EXPECT_EQ(set("production", "", "dora"), 403);
  EXPECT_EQ(set("prod*", "", "dora"), 403);
  EXPECT_EQ(set("*", "", "dora"), 403);
  EXPECT_EQ(set("*", "", "anna"), 201);
  EXPECT_EQ(set("staging", "", "vera"), 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop/variables/K6", "", "dora").status, 403);
  EXPECT_EQ(ask("PUT", "/api/v1/projects/shop/variables/K1", R"({"protected":true})", "dora").status, 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop/variables/K1", "", "dora").status, 204);
}

}  // namespace
}  // namespace runner::api
