// What a configuration file keeps cannot be changed over the API.
#include <nlohmann/json.hpp>

#include "runner/storage/configured_table.h"
#include "runner/storage/schedule_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using ::testing::HasSubstr;

class ApiConfiguredTest : public ApiTest {
 protected:
  ApiConfiguredTest() {
    schedule_ = ask("POST", "/api/v1/projects/shop/schedules", R"({"cron":"@daily"})").json().at("id");
    store_->write([&](storage::Tx& tx) {
      storage::Configured(tx).put(
          {storage::ConfiguredKind::project,
           shop_,
           shop_,
           "shop",
           "/etc/runner/config.yaml",
           {"url", "paused", "token", "forge", "forge_api", "forge_repository", "forge_token",
            "merge_requests", "priority", "resource_groups.production"}});
      storage::Configured(tx).put(
          {storage::ConfiguredKind::schedule, schedule_, shop_, "nightly", "/etc/runner/config.yaml", {}});
    });
  }
  std::int64_t schedule_ = 0;
};

TEST_F(ApiConfiguredTest, FieldsOfTheFileAreAConflictThatNamesIt) {
  for (const char* body : {R"({"url":"https://h/x"})", R"({"paused":true})", R"({"token":"t"})",
                           R"({"tags":["v*"],"paused":false})", R"({"forge":"gitlab"})",
                           R"({"forge_api":null})", R"({"forge_repository":"a/b"})", R"({"forge_token":"t"})",
                           R"({"merge_requests":true})", R"({"priority":1})"}) {
    SCOPED_TRACE(body);
    const Asked asked = ask("PATCH", "/api/v1/projects/shop", body);
    EXPECT_EQ(asked.status, 409);
    EXPECT_THAT(asked.body, HasSubstr("is kept in '/etc/runner/config.yaml'"));
  }
  EXPECT_EQ(ask("DELETE", "/api/v1/projects/shop").status, 409);
  EXPECT_EQ(ask("GET", "/api/v1/projects/shop").json().at("tags"), nlohmann::json::array());
}

TEST_F(ApiConfiguredTest, ResourceGroupsOfTheFileAreKeptThereToo) {
  const std::string at = "/api/v1/projects/shop/resource_groups/",
                    body = R"({"process_mode":"oldest_first"})";
  actions_.take();
  const Asked refused = ask("PUT", at + "production", body);
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(
      refused.body,
      HasSubstr("'resource_groups.production' of project 'shop' is kept in '/etc/runner/config.yaml'"));
  EXPECT_THAT(actions_.take(), ::testing::IsEmpty());
  EXPECT_EQ(ask("PUT", at + "bench", body).status, 200);
}

TEST_F(ApiConfiguredTest, OtherFieldsAreFree) {
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"webhook_secret":"h"})").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", "{}").status, 200);
}

TEST_F(ApiConfiguredTest, SchedulesOfTheFileAreRunButNotChanged) {
  const std::string path = "/api/v1/schedules/" + std::to_string(schedule_);
  const Asked changed = ask("PATCH", path, R"({"active":false})");
  EXPECT_EQ(changed.status, 409);
  EXPECT_THAT(changed.body, HasSubstr("is 'nightly' in '/etc/runner/config.yaml'"));
  EXPECT_EQ(ask("DELETE", path).status, 409);
  EXPECT_EQ(ask("POST", path + "/play").status, 201);
}

}  // namespace
}  // namespace runner::api
