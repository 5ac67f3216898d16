#include "deployments/targets/compose_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "pipelines/input_text.h"
#include "pipelines/yaml_reader.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_input, what);
}

Json from_yaml(const std::string& text) {
  pipelines::NodeArena arena;
  pipelines::Diagnostics diagnostics;
  const auto documents = pipelines::read_yaml({}, text, arena, diagnostics);
  Json json;
  if (documents && documents->size() == 1)
    json = Json::parse(pipelines::node_to_json(*documents->front()), nullptr, false);
  if (!json.is_object()) refuse("deploy:compose:file: what docker-compose made of it cannot be read");
  return json;
}

std::string shown(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Of "127.0.0.1:81:8080/tcp", "81:8080", "[::1]:81:8080", {published: 81}; "" when the engine chooses.
std::string published_of(const Json& port) {
  if (port.is_object()) return port.contains("published") ? shown(port["published"]) : std::string();
  const std::string text = shown(port);
  const std::size_t last = text.rfind(':');
  if (last == std::string::npos) return {};
  const std::string before = text.substr(0, last);
  const std::size_t colon = before.rfind(':');
  return colon == std::string::npos ? before : before.substr(colon + 1);
}

void check_port(const Json& service, const ComposeWishes& wishes) {
  if (wishes.port == 0 || service.value("network_mode", Json()) == "host") return;
  const Json ports = service.value("ports", Json::array());
  const std::string wanted = std::to_string(wishes.port);
  if (std::any_of(ports.begin(), ports.end(), [&](const Json& one) { return published_of(one) == wanted; }))
    return;
  refuse("deploy:compose:ports: the service " + in_quotes(wishes.service) + " does not publish port " +
         wanted + "; write ports: [\"127.0.0.1:${" + wishes.port_variable + "}:PORT\"] in its compose file");
}

void check_count(const Json& service, const ComposeWishes& wishes) {
  Json count = service.value("scale", Json());
  if (const Json deploy = service.value("deploy", Json()); deploy.is_object() && deploy.contains("replicas"))
    count = deploy["replicas"];
  if (count.is_null() || shown(count) == "1") return;
  refuse("deploy:compose:file: the service " + in_quotes(wishes.service) + " shall run " + shown(count) +
         " times, but a place holds one container; remove scale and deploy:replicas");
}

bool lies_below(const std::string& path, const fs::path& top) {
  if (top.empty() || !path.starts_with('/')) return false;
  const fs::path clean = fs::path(path).lexically_normal();
  return std::mismatch(top.begin(), top.end(), clean.begin(), clean.end()).first == top.end();
}

/// What of this machine is mounted at the place: "" for what the engine keeps itself.
std::string source_of(const Json& volume) {
  if (volume.is_object())
    return volume.value("type", "") == "bind" && volume.contains("source") ? shown(volume["source"])
                                                                           : std::string();
  const std::string text = shown(volume);
  return text.substr(0, text.find(':'));
}

void check_mounts(const Json& file, const Json& service, const ComposeWishes& wishes) {
  const auto check = [&](const std::string& source) {
    if (lies_below(source, wishes.gone))
      refuse("deploy:compose:file: the service " + in_quotes(wishes.service) + " mounts " +
             in_quotes(fs::path(source).lexically_relative(wishes.gone).native()) +
             " of the workspace, which is gone after the job; put it into the image, or mount a named volume "
             "or an absolute path of the engine's machine");
  };
  for (const Json& volume : service.value("volumes", Json::array())) check(source_of(volume));
  for (const char* kind : {"configs", "secrets"}) {
    if (!service.contains(kind)) continue;
    for (const Json& one : file.value(kind, Json::object()))
      if (one.is_object() && one.contains("file")) check(shown(one["file"]));
  }
}

Json& service_in(Json& file, const std::string& service) {
  if (file.contains("services") && file["services"].is_object() && file["services"].contains(service) &&
      file["services"][service].is_object())
    return file["services"][service];
  refuse("deploy:compose:service: the compose file has no service " + in_quotes(service));
}

/// A mapping, whichever way it was written.
Json as_mapping(const Json& value) {
  if (value.is_object()) return value;
  Json mapping = Json::object();
  for (const Json& one : value) {
    const std::string text = shown(one);
    const std::size_t at = text.find('=');
    mapping[text.substr(0, at)] = at == std::string::npos ? Json() : Json(text.substr(at + 1));
  }
  return mapping;
}

/// docker-compose fills variables in once more.
std::string escaped(std::string_view text) {
  return replace_all(text, "$", "$$");
}

void add(Json& service, const char* key, const std::map<std::string, std::string>& values) {
  Json mapping = as_mapping(service.value(key, Json::object()));
  for (const auto& [name, value] : values) mapping[name] = escaped(value);
  service[key] = std::move(mapping);
}

Json parse_config(const std::string& config) {
  Json json = Json::parse(config, nullptr, false);
  if (json.is_object()) return json;
  throw Error(ErrorCode::corrupt, "what the engine keeps of a release cannot be read; deploy it once more");
}

std::string text_of(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    refuse("a variable that the compose file uses, or a command gets, is not UTF-8");
  }
}

}  // namespace

std::string compose_config(const std::string& rendered, const ComposeWishes& wishes) {
  Json file = from_yaml(rendered);
  Json& service = service_in(file, wishes.service);
  check_count(service, wishes);
  check_port(service, wishes);
  check_mounts(file, service, wishes);
  if (wishes.several && service.contains("container_name"))
    refuse("deploy:compose:file: the service " + in_quotes(wishes.service) +
           " has a container_name, but several of it run at the same time; remove it");
  service.erase("build");
  service["image"] = wishes.image;
  return text_of(file);
}

std::string service_file(const std::string& config, const std::string& service,
                         const std::map<std::string, std::string>& labels) {
  Json file = parse_config(config);
  add(service_in(file, service), "labels", labels);
  return text_of(file);
}

std::string command_file(const std::string& config, const std::string& service, const std::string& as,
                         const std::string& script, const std::map<std::string, std::string>& environment,
                         const std::map<std::string, std::string>& labels) {
  Json file = parse_config(config);
  Json own = service_in(file, service);
  for (const char* key : {"ports", "container_name", "healthcheck", "deploy", "scale", "restart",
                          "depends_on", "expose", "links", "tty", "stdin_open"})
    own.erase(key);
  own["entrypoint"] = {"sh"};
  own["command"] = {"-ec", escaped(script)};
  add(own, "environment", environment);
  add(own, "labels", labels);
  // Others may be named by it, and their own errors are of no interest here.
  file["services"] = Json::object();
  file["services"][as] = std::move(own);
  return text_of(file);
}

}  // namespace runner::deployments
