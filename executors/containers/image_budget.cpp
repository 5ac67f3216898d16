#include <algorithm>
#include <nlohmann/json.hpp>

#include "executors/containers/engine_things.h"
#include "executors/containers/image_records.h"
#include "executors/containers/images.h"
#include "registry/reference.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;

/// In full, so that the short names of one engine are the long ones of another.
std::string full_name(const std::string& name) {
  try {
    return registry::parse_reference(name).text();
  } catch (const Error&) {
    return name;
  }
}

struct Held {
  std::uint64_t bytes = 0;
  std::vector<std::string> tags;
};

/// nullopt: the engine does not have it.
std::optional<Held> look_at(const EngineApi& api, const std::string& id, Deadline deadline) {
  const EngineAnswer answer = api.call({"GET", image_path(id) + "/json"}, waits_until(deadline));
  if (answer.status == 404) return std::nullopt;
  const Json json = Json::parse(answer.body, nullptr, false);
  if (!answer.ok() || !json.is_object()) throw_engine_error(answer, "look at the image '" + id + "'");
  Held held;
  held.bytes = json.value("Size", std::uint64_t{0});
  if (json.contains("RepoTags") && json["RepoTags"].is_array())
    for (const Json& tag : json["RepoTags"])
      if (tag.is_string()) held.tags.push_back(tag);
  return held;
}

/// Also of containers that do not run.
bool is_in_use(const EngineApi& api, const std::string& id, Deadline deadline) {
  const EngineAnswer answer = api.call({"GET", "/containers/json?all=1"}, waits_until(deadline));
  const Json json = Json::parse(answer.body, nullptr, false);
  if (!answer.ok() || !json.is_array()) throw_engine_error(answer, "list the containers there are");
  return std::any_of(json.begin(), json.end(), [&](const Json& container) {
    const std::string image = container.is_object() ? container.value("ImageID", "") : std::string();
    return !image.empty() && (image == id || "sha256:" + image == id);
  });
}

bool has_foreign_tag(const Held& held, const PulledImage& image) {
  std::vector<std::string> ours;
  for (const std::string& name : image.names) ours.push_back(full_name(name));
  return std::any_of(held.tags.begin(), held.tags.end(), [&](const std::string& tag) {
    return std::find(ours.begin(), ours.end(), full_name(tag)) == ours.end();
  });
}

/// True when the engine does not have it any more. What it will not remove (it is in use after all) stays.
bool remove(const EngineApi& api, const PulledImage& image, const Held& held, Deadline deadline) {
  for (const std::string& tag : held.tags)
    if (!api.call({"DELETE", image_path(tag)}, waits_until(deadline)).ok()) return false;
  if (!look_at(api, image.id, deadline)) return true;
  const EngineAnswer removed = api.call({"DELETE", image_path(image.id)}, waits_until(deadline));
  return removed.ok() || removed.status == 404;
}

}  // namespace

Reclaimed keep_image_budget(const EngineApi& api, const ImageRecords& records, std::uint64_t budget,
                            std::chrono::seconds recent, Deadline deadline) {
  std::vector<std::pair<PulledImage, Held>> images;
  std::uint64_t total = 0;
  for (PulledImage& image : records.list()) {
    auto held = look_at(api, image.id, deadline);
    // Removed by others, or theirs as well now.
    if (!held || has_foreign_tag(*held, image)) {
      records.forget(image.id);
      continue;
    }
    total += held->bytes;
    images.emplace_back(std::move(image), std::move(*held));
  }
  Reclaimed reclaimed;
  for (const auto& [image, held] : images) {
    if (total <= budget) break;
    const auto now = records.find(image.id);  // a job may have taken it meanwhile
    if (!now || std::chrono::system_clock::now() - now->used < recent) continue;
    if (is_in_use(api, image.id, deadline) || !remove(api, image, held, deadline)) continue;
    records.forget(image.id);
    total -= held.bytes;
    ++reclaimed.images;
    reclaimed.bytes += held.bytes;
    reclaimed.names.push_back(image.names.empty() ? image.id : image.names.front());
  }
  return reclaimed;
}

std::uint64_t keep_build_cache_budget(const EngineApi& api, std::uint64_t budget, Deadline deadline) {
  if (api.podman()) return 0;
  const EngineAnswer answer =
      api.call({"POST", "/build/prune?all=1&keep-storage=" + std::to_string(budget)}, waits_until(deadline));
  if (!answer.ok()) throw_engine_error(answer, "remove what builds have cached");
  const Json json = Json::parse(answer.body, nullptr, false);
  return json.is_object() ? json.value("SpaceReclaimed", std::uint64_t{0}) : 0;
}

}  // namespace runner::executors
