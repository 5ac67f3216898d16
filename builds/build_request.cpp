#include "builds/build_request.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Values = std::map<std::string, std::string>;

constexpr const char* kRequestFile = "request";
constexpr const char* kVerdictFile = "verdict";
constexpr unsigned kPrivate = 0600;

struct ExitWord {
  BuildExit exit;
  const char* word;
};
constexpr ExitWord kExitWords[] = {{BuildExit::done, "done"},
                                   {BuildExit::failed, "failed"},
                                   {BuildExit::invalid, "invalid"},
                                   {BuildExit::machinery, "machinery"},
                                   {BuildExit::cancelled, "cancelled"}};

// Values are any bytes, and JSON is not.
Json packed(const Values& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) json[name] = to_base64(value);
  return json;
}

Values unpacked(const Json& json) {
  Values values;
  for (const auto& [name, value] : json.items()) {
    auto bytes = from_base64(value.get<std::string>());
    if (!bytes) throw Error(ErrorCode::corrupt, "a value is not base64");
    values.emplace(name, std::move(*bytes));
  }
  return values;
}

std::vector<std::string> texts(const std::vector<fs::path>& paths) {
  std::vector<std::string> all;
  all.reserve(paths.size());
  for (const fs::path& path : paths) all.push_back(path.native());
  return all;
}

Json to_json(const BuildRequest& request) {
  Json authorities = Json::object();
  for (const auto& [host, file] : request.authorities) authorities[host] = file.native();
  Json configs = Json::array();
  for (const std::string& text : request.auth_configs) configs.push_back(to_base64(text));
  return {
      {"workspace", request.workspace.native()},
      {"context", request.context},
      {"dockerfile", request.dockerfile},
      {"target", request.target},
      {"args", packed(request.args)},
      {"secrets", packed(request.secrets)},
      {"platforms", request.platforms},
      {"tags", request.tags},
      {"push", request.push},
      {"cache", {{"enabled", request.cache.enabled}, {"from", request.cache.from}, {"to", request.cache.to}}},
      {"rebuild", request.rebuild},
      {"labels", packed(request.labels)},
      {"revision", request.revision},
      {"source", request.source},
      {"version", request.version},
      {"created", request.created},
      {"engine", request.engine == EngineKind::podman ? "podman" : "docker"},
      {"socket", request.socket.native()},
      {"auth_configs", std::move(configs)},
      {"auth_files", texts(request.auth_files)},
      {"authorities", std::move(authorities)},
      {"insecure", request.insecure},
      {"memory", request.memory.native()},
      {"context_key", request.context_key},
      {"environment", packed(request.environment)}};
}

BuildRequest from_json(const Json& json) {
  BuildRequest request;
  request.workspace = json.at("workspace").get<std::string>();
  request.context = json.at("context");
  request.dockerfile = json.at("dockerfile");
  request.target = json.at("target");
  request.args = unpacked(json.at("args"));
  request.secrets = unpacked(json.at("secrets"));
  request.platforms = json.at("platforms").get<std::vector<std::string>>();
  request.tags = json.at("tags").get<std::vector<std::string>>();
  request.push = json.at("push");
  const Json& cache = json.at("cache");
  request.cache = {cache.at("enabled"), cache.at("from").get<std::vector<std::string>>(), cache.at("to")};
  request.rebuild = json.at("rebuild");
  request.labels = unpacked(json.at("labels"));
  request.revision = json.at("revision");
  request.source = json.at("source");
  request.version = json.at("version");
  request.created = json.at("created");
  request.engine = json.at("engine") == "podman" ? EngineKind::podman : EngineKind::docker;
  request.socket = json.at("socket").get<std::string>();
  for (const Json& text : json.at("auth_configs"))
    request.auth_configs.push_back(from_base64(text.get<std::string>()).value_or(""));
  for (const Json& file : json.at("auth_files")) request.auth_files.emplace_back(file.get<std::string>());
  for (const auto& [host, file] : json.at("authorities").items())
    request.authorities[host] = file.get<std::string>();
  request.insecure = json.at("insecure").get<std::vector<std::string>>();
  request.memory = json.at("memory").get<std::string>();
  request.context_key = json.at("context_key");
  request.environment = unpacked(json.at("environment"));
  return request;
}

}  // namespace

void write_build_request(const fs::path& dir, const BuildRequest& request) {
  try {
    write_file_atomic(dir / kRequestFile, to_json(request).dump(), kPrivate, false);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::invalid_input,
                "a name, a path or a tag of the build is not UTF-8; write it otherwise");
  }
}

BuildRequest take_build_request(const fs::path& dir) {
  const fs::path file = dir / kRequestFile;
  const auto text = read_file(file);
  if (!text) throw Error(ErrorCode::not_found, "there is no request in " + in_quotes(dir.native()));
  fs::remove(file);
  try {
    return from_json(Json::parse(*text));
  } catch (const Json::exception&) {
    throw Error(ErrorCode::corrupt, "the request in " + in_quotes(dir.native()) + " is damaged");
  }
}

void write_build_verdict(const fs::path& dir, const BuildVerdict& verdict) {
  for (const ExitWord& known : kExitWords) {
    if (known.exit != verdict.exit) continue;
    const Json json = {{"class", known.word}, {"message", to_utf8(verdict.why)}};
    write_file_atomic(dir / kVerdictFile, json.dump(), kPrivate, false);
  }
}

std::optional<BuildVerdict> read_build_verdict(const fs::path& dir) {
  const auto text = read_file(dir / kVerdictFile);
  if (!text) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, false);
  if (json.is_object() && json.contains("class") && json.contains("message") && json["message"].is_string()) {
    for (const ExitWord& known : kExitWords)
      if (json["class"] == known.word) return BuildVerdict{known.exit, json["message"]};
  }
  throw Error(ErrorCode::corrupt, "the verdict in " + in_quotes(dir.native()) + " is damaged");
}

void write_build_outputs(const fs::path& dir, const BuildOutputs& outputs) {
  write_file_atomic(dir / kOutputsFile,
                    "IMAGE=" + outputs.image + "\nIMAGE_DIGEST=" + outputs.digest +
                        "\nIMAGE_TAG=" + outputs.tag + "\nIMAGE_KEY=" + outputs.key + "\n",
                    kPrivate, false);
}

}  // namespace runner::builds
