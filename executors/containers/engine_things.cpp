#include "executors/containers/engine_things.h"

#include <poll.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "executors/containers/container_bodies.h"
#include "runner/base/percent.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

// What a removal waits for takes the engine a moment: that somebody else's is done, that a mount is taken
// away.
constexpr milliseconds kBetweenTries{100};

struct Shelf {
  ThingKind kind;
  const char* list;    // all of them, before the filter
  const char* remove;  // one, before its name
  const char* options;
};
// A volume and a network are in use while there are containers.
constexpr Shelf kShelves[] = {
    {ThingKind::container, "/containers/json?all=1&filters=", "/containers/", "?force=1&v=1"},
    {ThingKind::network, "/networks?filters=", "/networks/", ""},
    {ThingKind::volume, "/volumes?filters=", "/volumes/", "?force=1"}};

const char* to_string(ThingKind kind) {
  if (kind == ThingKind::container) return "container";
  return kind == ThingKind::volume ? "volume" : "network";
}

Json parse_list(const std::string& body, const Shelf& shelf) {
  Json json = Json::parse(body, nullptr, false);
  if (shelf.kind == ThingKind::volume && json.is_object()) json = json.value("Volumes", Json::array());
  if (json.is_null()) return Json::array();
  if (!json.is_array())
    throw Error(ErrorCode::unavailable, std::string("the container engine's list of each ") +
                                            to_string(shelf.kind) + " cannot be read");
  return json;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Waits waits_until(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  const auto total = std::max(left, milliseconds(1));
  return {total, total, total};
}

std::vector<EngineThing> find_things(const EngineApi& api, std::string_view owner,
                                     const std::optional<SandboxId>& sandbox, Deadline deadline) {
  std::vector<std::string> labels = {std::string(kOwnerLabel) + "=" + std::string(owner)};
  if (sandbox) labels.push_back(std::string(kSandboxLabel) + "=" + sandbox->value);
  const std::string filter = percent_encode(Json{{"label", labels}}.dump());
  std::vector<EngineThing> things;
  for (const Shelf& shelf : kShelves) {
    const EngineAnswer answer = api.call({"GET", shelf.list + filter}, waits_until(deadline));
    if (!answer.ok())
      throw_engine_error(answer, std::string("list what the engine holds, each ") + to_string(shelf.kind));
    for (const Json& entry : parse_list(answer.body, shelf)) {
      if (!entry.is_object() || !entry.contains("Labels") || !entry["Labels"].is_object()) continue;
      EngineThing thing;
      thing.kind = shelf.kind;
      thing.name = text_of(entry, shelf.kind == ThingKind::container ? "Id" : "Name");
      thing.sandbox = text_of(entry["Labels"], kSandboxLabel);
      // Engines match labels in ways of their own; what is removed must be ours beyond doubt.
      if (text_of(entry["Labels"], kOwnerLabel) != owner || (sandbox && thing.sandbox != sandbox->value))
        continue;
      if (!thing.name.empty()) things.push_back(std::move(thing));
    }
  }
  return things;
}

void remove_thing(const EngineApi& api, const EngineThing& thing, Deadline deadline) {
  const auto* shelf = std::find_if(std::begin(kShelves), std::end(kShelves),
                                   [&](const Shelf& one) { return one.kind == thing.kind; });
  const EngineCall call{"DELETE", shelf->remove + percent_encode(thing.name) + shelf->options};
  for (;;) {
    const EngineAnswer answer = api.call(call, waits_until(deadline));
    if (answer.ok() || answer.status == 404) return;
    if (std::chrono::steady_clock::now() + kBetweenTries >= deadline)
      throw_engine_error(answer,
                         std::string("remove the ") + to_string(thing.kind) + " '" + thing.name + "'");
    ::poll(nullptr, 0, static_cast<int>(kBetweenTries.count()));
  }
}

// Docker's question, asked of Podman, keeps it looking without a pause, and the process waiting that cleans
// up.
EngineAnswer await_end(const EngineApi& api, const std::string& name, const Waits& waits) {
  const std::string path = "/containers/" + percent_encode(name) + "/wait";
  if (!api.podman()) return api.call({"POST", path}, waits);
  return api.of_podman().call(
      {"POST", "/libpod" + path + "?condition=stopped&condition=exited&interval=50ms"}, waits);
}

void end_container(const EngineApi& api, const std::string& name, Deadline deadline) {
  const std::string path = "/containers/" + percent_encode(name);
  const EngineAnswer killed = api.call({"POST", path + "/kill?signal=SIGKILL"}, waits_until(deadline));
  // 409 and, of some versions, 500: it does not run. Waiting for its end tells.
  if (killed.status == 404) return;
  const EngineAnswer ended = await_end(api, name, waits_until(deadline));
  if (!ended.ok() && ended.status != 404) throw_engine_error(ended, "end the container '" + name + "'");
}

}  // namespace runner::executors
