#include "tests/api/schema_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/api/routes.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

using nlohmann::json;

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return type == "boolean" && value.is_boolean();
}

std::string object_problem(const json& schema, const json& value, const std::string& place) {
  for (const auto& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) return place + " has no " + name.dump();
  }
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, member] : value.items()) {
    if (properties.contains(name)) {
      const std::string problem = schema_problem(properties[name], member, place + "." + name);
      if (!problem.empty()) return problem;
    } else if (schema.contains("additionalProperties") && schema["additionalProperties"] == false) {
      return place + " has '" + name + "', which is not in the schema";
    } else if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
      const std::string problem = schema_problem(schema["additionalProperties"], member, place + "." + name);
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

bool fits(std::string_view pattern, std::string_view path) {
  const auto wanted = split(pattern, '/');
  const auto given = split(path, '/');
  return std::equal(wanted.begin(), wanted.end(), given.begin(), given.end(),
                    [](std::string_view a, std::string_view b) { return a.starts_with('{') || a == b; });
}

/// The operation of a request; null when there is none.
json operation_of(const std::string& method, std::string_view path) {
  json found;
  for (const auto& [pattern, methods] : document().at("paths").items()) {
    // Words are preferred to names.
    if (fits(pattern, path) && methods.contains(to_lower(method)) &&
        (found.is_null() || !pattern.ends_with('}')))
      found = methods.at(to_lower(method));
  }
  return found;
}

}  // namespace

const json& document() {
  static const json parsed = json::parse(openapi_document("1.2.3"));
  return parsed;
}

std::string schema_problem(const json& schema, const json& value, const std::string& place) {
  if (schema.contains("$ref")) {
    const auto name = schema["$ref"].get<std::string>();
    return schema_problem(document().at(json::json_pointer(name.substr(1))), value, place);
  }
  if (value.is_null() && schema.value("nullable", false)) return {};
  if (schema.contains("type") && !has_type(value, schema["type"]))
    return place + " is no " + schema["type"].get<std::string>() + ": " + value.dump();
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    return place + " is none of the enumerators: " + value.dump();
  if (value.is_object()) return object_problem(schema, value, place);
  if (!schema.contains("items")) return {};  // whatever it holds
  for (std::size_t at = 0; value.is_array() && at < value.size(); ++at) {
    const std::string problem =
        schema_problem(schema["items"], value[at], place + "[" + std::to_string(at) + "]");
    if (!problem.empty()) return problem;
  }
  return {};
}

void check_against_document(const std::string& method, const std::string& target, int status,
                            const std::string& content_type, const std::string& body) {
  SCOPED_TRACE(method + " " + target + " " + std::to_string(status));
  if (method == "HEAD") return;
  const json operation = operation_of(method, target.substr(0, target.find('?')));
  json answer;
  if (!operation.is_null()) {
    const json& answers = operation.at("responses");
    answer =
        answers.contains(std::to_string(status)) ? answers[std::to_string(status)] : answers.at("default");
  }
  // A part is what the whole is.
  if (status == 206) answer = operation.at("responses").at("200");
  const std::string type = content_type.substr(0, content_type.find(';'));
  if (type == "application/problem+json") {
    const json problem = json::parse(body);
    EXPECT_EQ(schema_problem({{"$ref", "#/components/schemas/Problem"}}, problem), "");
    EXPECT_EQ(problem.value("status", 0), status);
    EXPECT_TRUE(operation.is_null() || answer.at("content").contains(type)) << answer.dump();
    return;
  }
  ASSERT_FALSE(operation.is_null()) << "the document does not know this";
  if (status == 204) {
    EXPECT_TRUE(operation.at("responses").contains("204"));
    EXPECT_FALSE(answer.contains("content"));
    EXPECT_EQ(body, "");
    return;
  }
  const json& content = answer.at("content");
  const std::string listed = content.begin().key();
  if (listed == "application/octet-stream") {
    EXPECT_TRUE(type == "application/zip" || type == "application/zstd") << type;
    return;
  }
  EXPECT_EQ(listed, type);
  if (type == "application/json" || type == "application/health+json") {
    EXPECT_EQ(schema_problem(content.at(type).at("schema"), json::parse(body)), "") << body;
  }
}

}  // namespace runner::api
