#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using testing::ElementsAre;

class ApiResourceGroupTest : public ApiTest {};

TEST_F(ApiResourceGroupTest, AModeIsChosenAndListed) {
  const std::string at = "/api/v1/projects/shop/resource_groups";
  EXPECT_EQ(ask("GET", at).json(), json::parse(R"({"items":[],"next":null})"));
  const Asked put = ask("PUT", at + "/prod%2Feu", R"({"process_mode":"oldest_first"})");
  EXPECT_EQ(put.status, 200);
  EXPECT_EQ(put.json(), json::parse(R"({"key":"prod/eu","process_mode":"oldest_first"})"));
  EXPECT_THAT(actions_.take(), ElementsAre("mode of shop prod/eu oldest_first"));
  EXPECT_EQ(ask("GET", at, "", "vera").json().at("items"),
            json::parse(R"([{"key":"prod/eu","process_mode":"oldest_first"}])"));
}

TEST_F(ApiResourceGroupTest, WhatIsNoModeIsRefused) {
  const std::string at = "/api/v1/projects/shop/resource_groups/prod";
  for (const char* body :
       {"{}", R"({"process_mode":"fastest"})", R"({"process_mode":7})", R"({"mode":"unordered"})"})
    EXPECT_EQ(ask("PUT", at, body).status, 422) << body;
  EXPECT_EQ(
      ask("PUT", "/api/v1/projects/none/resource_groups/prod", R"({"process_mode":"unordered"})").status,
      404);
  EXPECT_THAT(actions_.take(), testing::IsEmpty());
}

}  // namespace
}  // namespace runner::api
