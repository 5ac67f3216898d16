#include "deployments/targets/compose_engine.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "executors/containers/images.h"
#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Json = nlohmann::json;
using executors::EngineAnswer;
using executors::throw_engine_error;
using std::chrono::milliseconds;

// What ending a container takes an engine besides the grace.
constexpr milliseconds kMargin{60'000};

std::string filter_of(const Labels& labels) {
  Json wanted = Json::array();
  for (const auto& [name, value] : labels) wanted.push_back(name + "=" + value);
  return percent_encode(Json{{"label", wanted}}.dump());
}

Labels labels_of(const Json& thing) {
  Labels labels;
  const auto found = thing.find("Labels");
  if (found == thing.end() || !found->is_object()) return labels;
  for (const auto& [name, value] : found->items())
    if (value.is_string()) labels.emplace(name, value.get<std::string>());
  return labels;
}

// Engines match labels in ways of their own.
bool has_all(const Labels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const auto& one) { return label_of(labels, one.first.c_str()) == one.second; });
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json parse(const std::string& body, std::string_view what) {
  Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded())
    throw Error(ErrorCode::unavailable,
                "what the container engine says of " + std::string(what) + " cannot be read");
  return json;
}

EngineRecord record_of(const Json& volume) {
  return {text_of(volume, "Name"), labels_of(volume)};
}

std::string container_path(const std::string& container) {
  return "/containers/" + percent_encode(container);
}

}  // namespace

const std::string& label_of(const Labels& labels, const char* name) {
  static const std::string none;
  const auto found = labels.find(name);
  return found == labels.end() ? none : found->second;
}

std::uint64_t token_of(const Labels& labels) {
  const auto token = parse_integer(label_of(labels, label::kToken));
  return token && *token > 0 ? static_cast<std::uint64_t>(*token) : 0;
}

executors::EngineApi ComposeEngine::api(const std::stop_token& stop) {
  const std::lock_guard guard(mutex_);
  if (!api_) {
    executors::EngineApi api(socket_);
    api.agree(stop);
    api_ = std::move(api);
  }
  return *api_;
}

std::vector<EngineContainer> ComposeEngine::containers(const Labels& labels, const std::stop_token& stop) {
  const std::string body = api(stop).expect({"GET", "/containers/json?all=1&filters=" + filter_of(labels)},
                                            "list the containers of the engine", stop);
  constexpr std::array<std::string_view, 6> kEnded = {"created", "exited",     "dead",
                                                      "stopped", "configured", "removing"};
  std::vector<EngineContainer> found;
  for (const Json& entry : parse(body, "its containers")) {
    EngineContainer container;
    container.id = text_of(entry, "Id");
    container.labels = labels_of(entry);
    const std::string state = to_lower(text_of(entry, "State"));
    container.active = std::find(kEnded.begin(), kEnded.end(), state) == kEnded.end();
    if (entry.contains("Created") && entry["Created"].is_number())
      container.created = entry["Created"].get<std::int64_t>();
    if (!container.id.empty() && has_all(container.labels, labels)) found.push_back(std::move(container));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return found;
}

std::vector<EngineRecord> ComposeEngine::records(const Labels& labels, const std::stop_token& stop) {
  const std::string body = api(stop).expect({"GET", "/volumes?filters=" + filter_of(labels)},
                                            "list the records in the engine, its volumes", stop);
  const Json json = parse(body, "its volumes");
  std::vector<EngineRecord> found;
  if (!json.is_object() || !json.contains("Volumes") || !json["Volumes"].is_array()) return found;
  for (const Json& entry : json["Volumes"]) {
    EngineRecord record = record_of(entry);
    if (!record.name.empty() && has_all(record.labels, labels)) found.push_back(std::move(record));
  }
  return found;
}

EngineRecord ComposeEngine::record(const std::string& name, const Labels& labels,
                                   const std::stop_token& stop) {
  const Json body = {{"Name", name}, {"Labels", labels}};
  // Not every engine has the second of two that come at once find what the first has made.
  const EngineAnswer made = api(stop).call({"POST", "/volumes/create", body.dump()}, stop);
  const EngineAnswer seen = api(stop).call({"GET", "/volumes/" + percent_encode(name)}, stop);
  if (seen.ok()) return record_of(parse(seen.body, "the volume '" + name + "'"));
  throw_engine_error(made.ok() ? seen : made, "keep a record in the engine, the volume '" + name + "'");
}

void ComposeEngine::forget(const std::string& name, const std::stop_token& stop) {
  const EngineAnswer answer = api(stop).call({"DELETE", "/volumes/" + percent_encode(name)}, stop);
  if (!answer.ok() && answer.status != 404)
    throw_engine_error(answer, "remove a record from the engine, the volume '" + name + "'");
}

void ComposeEngine::start(const std::string& container, const std::stop_token& stop) {
  const EngineAnswer answer = api(stop).call({"POST", container_path(container) + "/start"}, stop);
  if (!answer.ok() && answer.status != 304)
    throw_engine_error(answer, "start the container " + container.substr(0, 12));
}

void ComposeEngine::end(const std::string& container, milliseconds grace, const std::stop_token& stop) {
  const auto seconds = std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(grace).count(), 0);
  const Waits waits{milliseconds(20'000), milliseconds(0), grace + kMargin};
  const EngineAnswer answer =
      api(stop).call({"POST", container_path(container) + "/stop?t=" + std::to_string(seconds)}, waits, stop);
  if (!answer.ok() && answer.status != 304 && answer.status != 404)
    throw_engine_error(answer, "stop the container " + container.substr(0, 12));
}

bool ComposeEngine::was_never_started(const std::string& container, const std::stop_token& stop) {
  const std::string body =
      api(stop).expect({"GET", container_path(container) + "/json"}, "look at a container", stop);
  const Json json = parse(body, "a container");
  const std::string state =
      json.contains("State") && json["State"].is_object() ? text_of(json["State"], "Status") : std::string();
  return state == "created" || state == "configured" || state == "initialized";
}

void ComposeEngine::kill(const std::string& container, const std::stop_token& stop) {
  end(container, milliseconds(0), stop);
}

void ComposeEngine::remove(const std::string& container, const std::stop_token& stop) {
  const EngineAnswer answer = api(stop).call({"DELETE", container_path(container) + "?force=1&v=1"}, stop);
  // 409: it is being removed already.
  if (!answer.ok() && answer.status != 404 && answer.status != 409)
    throw_engine_error(answer, "remove the container " + container.substr(0, 12));
}

bool ComposeEngine::has_image(const std::string& image, const std::stop_token& stop) {
  return digests_of(image, stop).has_value();
}

std::optional<std::vector<std::string>> ComposeEngine::digests_of(const std::string& image,
                                                                  const std::stop_token& stop) {
  const EngineAnswer answer = api(stop).call({"GET", executors::image_path(image) + "/json"}, stop);
  if (answer.status == 404) return std::nullopt;
  if (!answer.ok()) throw_engine_error(answer, "look at the image '" + image + "'");
  std::vector<std::string> digests;
  const Json json = parse(answer.body, "the image '" + image + "'");
  if (json.is_object() && json.contains("RepoDigests") && json["RepoDigests"].is_array())
    for (const Json& one : json["RepoDigests"])
      if (one.is_string()) digests.push_back(one.get<std::string>());
  return digests;
}

void ComposeEngine::remove_image(const std::string& image, const std::stop_token& stop) {
  const EngineAnswer answer = api(stop).call({"DELETE", executors::image_path(image)}, stop);
  if (!answer.ok() && answer.status != 404 && answer.status != 409)
    throw_engine_error(answer, "remove the image '" + image + "'");
}

}  // namespace runner::deployments
