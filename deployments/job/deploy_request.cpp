#include "deployments/job/deploy_request.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Values = std::map<std::string, std::string>;

constexpr const char* kRequestFile = "request";
constexpr const char* kVerdictFile = "verdict";
constexpr unsigned kPrivate = 0600;

// Values are any bytes, and JSON is not.
Json packed(const Values& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) json[name] = to_base64(value);
  return json;
}

std::string bytes_of(const Json& value) {
  auto bytes = from_base64(value.get<std::string>());
  if (!bytes) throw Error(ErrorCode::corrupt, "a value is not base64");
  return std::move(*bytes);
}

Values unpacked(const Json& json) {
  Values values;
  for (const auto& [name, value] : json.items()) values.emplace(name, bytes_of(value));
  return values;
}

struct TextField {
  const char* name;
  std::string DeployRequest::*field;
};
constexpr TextField kTexts[] = {
    {"project", &DeployRequest::project}, {"environment", &DeployRequest::environment},
    {"job", &DeployRequest::job},         {"ref", &DeployRequest::ref},
    {"sha", &DeployRequest::sha},         {"user", &DeployRequest::user},
    {"block", &DeployRequest::block}};
struct PathField {
  const char* name;
  fs::path DeployRequest::*field;
};
constexpr PathField kPaths[] = {{"database", &DeployRequest::database},
                                {"places", &DeployRequest::places},
                                {"workspace", &DeployRequest::workspace}};

}  // namespace

void write_deploy_request(const fs::path& dir, const DeployRequest& request) {
  Json json{{"gated", request.gated},
            {"variables", packed(request.variables)},
            {"secrets", packed(request.secrets)}};
  if (request.pipeline) json["pipeline"] = *request.pipeline;
  for (const TextField& text : kTexts) json[text.name] = to_base64(request.*text.field);
  for (const PathField& path : kPaths) json[path.name] = to_base64((request.*path.field).native());
  write_file_atomic(dir / kRequestFile, json.dump(), kPrivate, false);
}

DeployRequest take_deploy_request(const fs::path& dir) {
  const fs::path file = dir / kRequestFile;
  const auto text = read_file(file);
  if (!text) throw Error(ErrorCode::not_found, "there is no request to deploy in '" + dir.native() + "'");
  fs::remove(file);
  try {
    const Json json = Json::parse(*text);
    DeployRequest request;
    request.gated = json.at("gated").get<bool>();
    if (json.contains("pipeline")) request.pipeline = json["pipeline"].get<std::int64_t>();
    request.variables = unpacked(json.at("variables"));
    request.secrets = unpacked(json.at("secrets"));
    for (const TextField& field : kTexts) request.*field.field = bytes_of(json.at(field.name));
    for (const PathField& field : kPaths) request.*field.field = bytes_of(json.at(field.name));
    return request;
  } catch (const Json::exception&) {
    // What it says may be a secret.
    throw Error(ErrorCode::corrupt, "the request to deploy is damaged");
  }
}

void write_deploy_verdict(const fs::path& dir, const std::string& why) {
  write_file_atomic(dir / kVerdictFile, why, kPrivate, false);
}

std::string read_deploy_verdict(const fs::path& dir) {
  return read_file(dir / kVerdictFile).value_or("");
}

}  // namespace runner::deployments
