// The OpenAPI 3.0 document (https://spec.openapis.org/oas/v3.0.3), made of the table of routes, so that it
// cannot tell of others; and which version runs.
#include <map>

#include "runner/api/json_output.h"
#include "runner/api/openapi_schemas.h"
#include "runner/api/routes.h"
#include "runner/base/text.h"
#include "runner/http/problem.h"

namespace runner::api {
namespace {

std::string reference(std::string_view schema) {
  return R"({"$ref":"#/components/schemas/)" + std::string(schema) + "\"}";
}

/// What ApiRoute::response and ApiRoute::request name.
std::string content_of(std::string_view what) {
  const bool media = what.find('/') != std::string_view::npos;
  std::string schema;
  if (media) {
    schema = what.starts_with("text/") ? R"({"type":"string"})" : R"({"type":"string","format":"binary"})";
  } else if (what.starts_with('[')) {
    const std::string item(what.substr(1, what.size() - 2));
    schema = R"({"type":"object","required":["items","next"],"additionalProperties":false,"properties":{)"
             R"("items":{"type":"array","items":)" +
             reference(item) + R"(},"next":{"type":"string","nullable":true}}})";
  } else {
    schema = reference(what);
  }
  JsonObject type;
  type.raw("schema", schema);
  JsonObject content;
  const std::string_view json = what == "Health" ? "application/health+json" : "application/json";
  content.raw(media ? what : json, std::move(type).take());
  return std::move(content).take();
}

constexpr const char* kInteger = R"({"type":"integer"})";
constexpr const char* kText = R"({"type":"string"})";
constexpr const char* kTexts = R"({"type":"array","items":{"type":"string"}})";

std::string parameter(std::string_view name, const char* place, const char* schema) {
  JsonObject json;
  json.text("name", name)
      .text("in", place)
      .flag("required", std::string_view(place) == "path")
      .raw("schema", schema);
  return std::move(json).take();
}

std::string parameters_of(const ApiRoute& route) {
  std::vector<std::string> parameters;
  for (const std::string_view segment : split(route.path, '/')) {
    if (!segment.starts_with('{')) continue;
    const std::string_view name = segment.substr(1, segment.size() - 2);
    parameters.push_back(parameter(name, "path", name == "id" ? kInteger : kText));
  }
  for (const std::string_view name : split(route.query, ',')) {
    if (name.empty()) continue;
    const char* schema = name == "limit" || name == "pipeline" || name == "before" ? kInteger : kText;
    parameters.push_back(parameter(name, "query", name == route.repeatable ? kTexts : schema));
  }
  if (route.response == "text/event-stream")
    parameters.push_back(parameter("Last-Event-ID", "header", kText));
  return json_list(parameters);
}

std::string answer_json(std::string_view description, std::string_view what) {
  JsonObject json;
  json.text("description", description);
  if (!what.empty()) json.raw("content", content_of(what));
  return std::move(json).take();
}

std::string answers_of(const ApiRoute& route) {
  JsonObject problem_type;
  problem_type.raw("schema", reference("Problem"));
  JsonObject problem_content;
  problem_content.raw("application/problem+json", std::move(problem_type).take());
  JsonObject problem_answer;
  problem_answer.text("description", "A problem (RFC 9457)")
      .raw("content", std::move(problem_content).take());
  const std::string problem = std::move(problem_answer).take();
  JsonObject json;
  json.raw(std::to_string(route.status), answer_json(http::reason_phrase(route.status), route.response));
  if (route.access == Access::signature) json.raw("200", answer_json("It came before", route.response));
  if (route.fast) json.raw("503", answer_json("It is not well", route.response));
  // By the rights that the route asks for; all else is "default".
  if (route.access != Access::open) json.raw("401", problem);
  if (route.access != Access::open && route.access != Access::signature) json.raw("403", problem);
  json.raw("default", problem);
  return std::move(json).take();
}

/// What a caller needs; "" = no token.
std::string_view permission_of(Access access) {
  switch (access) {
    case Access::known:
      return "any";
    case Access::monitor:
      return "monitor";
    case Access::view_logs:
      return "view_logs";
    case Access::deploy:
      return "deploy";
    case Access::rollback:
      return "rollback";
    case Access::manage_users:
      return "manage_users";
    case Access::manage_roles:
      return "manage_roles";
    case Access::manage:
      return "manage_users or manage_roles";
    case Access::keys:
      return "manage_users and manage_roles";
    case Access::open:
    case Access::signature:
      break;
  }
  return "";
}

std::string operation_of(const ApiRoute& route) {
  JsonObject json;
  json.text("operationId", route.name).text("summary", route.summary);
  json.raw("parameters", parameters_of(route));
  if (!route.request.empty()) {
    JsonObject body;
    body.flag("required", route.access == Access::signature).raw("content", content_of(route.request));
    json.raw("requestBody", std::move(body).take());
  }
  json.raw("responses", answers_of(route));
  const std::string_view permission = permission_of(route.access);
  json.raw("security", permission.empty() ? "[]" : R"([{"bearer":[]},{"private_token":[]}])");
  if (!permission.empty()) json.text("x-permission", permission);
  return std::move(json).take();
}

}  // namespace

std::string openapi_document(std::string_view version) {
  std::map<std::string_view, JsonObject> operations;
  for (const ApiRoute& route : api_routes())
    operations[route.path].raw(to_lower(route.method), operation_of(route));
  JsonObject paths;
  for (auto& [path, methods] : operations) paths.raw(path, std::move(methods).take());
  JsonObject info;
  info.text("title", "runner").text("version", version);
  info.text(
      "description",
      "Lists take 'limit' (1 to 100, default 20) and 'cursor', which is the 'next' of the page before.");
  JsonObject components;
  components.raw("schemas", openapi_schemas());
  components.raw("securitySchemes",
                 R"({"bearer":{"type":"http","scheme":"bearer"},)"
                 R"("private_token":{"type":"apiKey","in":"header","name":"PRIVATE-TOKEN"}})");
  JsonObject document;
  document.text("openapi", "3.0.3")
      .raw("info", std::move(info).take())
      .raw("paths", std::move(paths).take())
      .raw("components", std::move(components).take());
  return std::move(document).take();
}

http::Response show_document(Context& context, const Call& /*call*/) {
  return json_response(200, openapi_document(context.parts.version));
}

http::Response show_version(Context& context, const Call& /*call*/) {
  JsonObject json;
  json.text("version", context.parts.version).text("commit", context.parts.commit);
  return json_response(200, std::move(json).take());
}

}  // namespace runner::api
