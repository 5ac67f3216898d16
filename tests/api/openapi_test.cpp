// The document tells of every route, and of nothing else.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/text.h"
#include "tests/api/api_harness.h"
#include "tests/api/schema_check.h"

namespace runner::api {
namespace {

using nlohmann::json;

TEST_F(ApiTest, DocumentHasEveryRouteAndNothingElse) {
  std::set<std::string> routes, documented;
  for (const auto& route : routes_) routes.insert(route.method + " " + route.pattern + " " + route.name);
  for (const auto& [path, methods] : document().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
      documented.insert(upper + " " + path + " " + operation.at("operationId").get<std::string>());
    }
  }
  EXPECT_EQ(documented, routes);
}

void find_references(const json& value, std::set<std::string>& references) {
  if (value.is_object() && value.contains("$ref")) references.insert(value["$ref"].get<std::string>());
  for (const auto& each : value) {
    if (each.is_structured()) find_references(each, references);
  }
}

TEST(OpenApi, EveryReferenceLeadsToASchemaAndEverySchemaIsReferredTo) {
  std::set<std::string> references, schemas;
  find_references(document(), references);
  for (const auto& [name, schema] : document().at("components").at("schemas").items()) {
    schemas.insert("#/components/schemas/" + name);
    EXPECT_TRUE(schema.contains("type")) << name;
    for (const auto& needed : schema.value("required", json::array()))
      EXPECT_TRUE(name == "Document" || schema.at("properties").contains(needed.get<std::string>())) << name;
  }
  EXPECT_EQ(references, schemas);
}

TEST(OpenApi, EveryParameterOfAPathIsDeclared) {
  for (const auto& [path, methods] : document().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::multiset<std::string> declared, named;
      for (const auto& parameter : operation.at("parameters")) {
        if (parameter.at("in") == "path") declared.insert(parameter.at("name"));
      }
      for (const auto segment : split(std::string_view(path), '/')) {
        if (segment.starts_with('{')) named.emplace(segment.substr(1, segment.size() - 2));
      }
      EXPECT_EQ(declared, named) << path;
    }
  }
}

TEST(OpenApi, ValidatorFindsWhatIsWrong) {
  const json user = json::parse(R"({"$ref":"#/components/schemas/User"})");
  const std::string good =
      R"({"name":"a","role":"admin","groups":[],"disabled":false,"created_at":"x","disabled_at":null})";
  EXPECT_EQ(schema_problem(user, json::parse(good)), "");
  const std::pair<const char*, const char*> cases[] = {
      {R"("disabled":false)", R"("disabled":0)"},      {R"("role":"admin")", R"("role":"king")"},
      {R"("created_at":"x")", R"("created_at":null)"}, {R"("name":"a",)", ""},
      {R"("name":"a",)", R"("name":"a","more":1,)"},
  };
  for (const auto& [from, to] : cases)
    EXPECT_NE(schema_problem(user, json::parse(replace_all(good, from, to))), "") << to;
}

TEST_F(ApiTest, DocumentAndVersionNeedNoToken) {
  const Asked document_asked = ask("GET", "/api/v1/openapi.json", "", "");
  EXPECT_EQ(document_asked.status, 200);
  EXPECT_EQ(document_asked.json(), document());
  const Asked version = ask("GET", "/api/v1/version", "", "");
  EXPECT_EQ(version.json(), json::parse(R"({"version":"1.2.3","commit":"abc"})"));
}

}  // namespace
}  // namespace runner::api
