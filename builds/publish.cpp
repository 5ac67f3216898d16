#include "builds/publish.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "builds/at_once.h"
#include "builds/build_log.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using registry::Descriptor;
using registry::Manifest;
using registry::Reference;
using registry::RegistryClient;
using Json = nlohmann::json;

constexpr int kPushes = 5;
constexpr std::chrono::milliseconds kFirstWait{1000};
constexpr std::size_t kLargestConfig = 8U << 20U;
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

void wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
}

Reference by_digest(Reference image, const std::string& digest) {
  image.tag.clear();
  image.digest = digest;
  return image;
}

/// All that `manifest` names, to another repository.
void copy_parts(RegistryClient& client, const Reference& from, const Reference& to, const Manifest& manifest,
                const std::stop_token& stop) {
  if (registry::is_index(manifest.descriptor.media_type)) {
    for (const registry::IndexEntry& entry : registry::parse_index(manifest.bytes)) {
      const Manifest image = client.fetch_manifest(by_digest(from, entry.manifest.digest), stop);
      copy_parts(client, from, to, image, stop);
      client.put_manifest(by_digest(to, entry.manifest.digest), image, stop);
    }
    return;
  }
  registry::ImageParts parts = registry::parse_image(manifest.bytes);
  parts.layers.push_back(parts.config);
  at_once(parts.layers.size(), [&](std::size_t i) { client.copy_blob(from, to, parts.layers[i], stop); });
}

}  // namespace

std::optional<Manifest> find_published(RegistryClient& client, const Reference& image,
                                       const std::stop_token& stop) {
  try {
    return client.fetch_manifest(image, stop);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return std::nullopt;
    throw;
  }
}

std::optional<BuildInputs> published_inputs(RegistryClient& client, const Reference& image,
                                            const registry::Platform& platform, const std::stop_token& stop) {
  try {
    auto manifest = find_published(client, image, stop);
    if (manifest && registry::is_index(manifest->descriptor.media_type)) {
      const auto entries = registry::parse_index(manifest->bytes);
      const Descriptor& one = registry::choose_platform(entries, platform).manifest;
      manifest = find_published(client, by_digest(image, one.digest), stop);
    }
    if (!manifest) return std::nullopt;
    const auto config = registry::parse_image(manifest->bytes).config;
    const Json json = Json::parse(client.read_blob(image, config, kLargestConfig, stop));
    return parse_inputs(json.at("config").at("Labels").at(kInputsLabel).get<std::string>());
  } catch (const Json::exception&) {
    return std::nullopt;  // an image of others
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    say("What " + image.text() + " was built from is not known: " + harmless(error.what()));
    return std::nullopt;
  }
}

std::vector<Reference> name_all(RegistryClient& client, const Reference& from, const Manifest& manifest,
                                const std::vector<Reference>& tags, const std::stop_token& stop) {
  std::set<std::string> copied = {from.repository()};
  for (const Reference& tag : tags)
    if (copied.insert(tag.repository()).second) copy_parts(client, from, tag, manifest, stop);
  std::vector<char> moved(tags.size(), 0);
  at_once(tags.size(), [&](std::size_t i) {
    // A registry may refuse to write a tag again, even with what it names.
    const auto now = client.find_manifest(tags[i], stop);
    if (now && now->digest == manifest.descriptor.digest) return;
    client.put_manifest(tags[i], manifest, stop);
    moved[i] = 1;
  });
  std::vector<Reference> changed;
  for (std::size_t i = 0; i < tags.size(); ++i)
    if (moved[i] != 0) changed.push_back(tags[i]);
  return changed;
}

Manifest push_verified(BuildEngine& engine, RegistryClient& client, const Reference& name,
                       const std::optional<registry::Login>& login, const std::stop_token& stop) {
  std::string said;
  std::chrono::milliseconds wait = kFirstWait;
  for (int attempt = 1; said.empty(); ++attempt) {
    try {
      said = engine.push(name, login, stop);
    } catch (const Error& error) {
      const bool again = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
      if (!again || attempt == kPushes || !engine.answers()) throw;
      say(std::string(error.what()) + "; trying again in " + format_duration(wait));
      wait_for(wait, stop);
      wait *= 2;
    }
  }
  const auto found = find_published(client, name, stop);
  if (!found)
    throw Error(ErrorCode::unavailable, "the engine pushed " + in_quotes(name.text()) +
                                            ", and its registry has no such image; it may have lost it");
  if (found->descriptor.digest != said)
    throw Error(ErrorCode::corrupt, "the registry has " + found->descriptor.digest + " as " +
                                        in_quotes(name.text()) + ", and the engine pushed " + said +
                                        "; no tag was moved");
  return *found;
}

Manifest make_index(const std::vector<std::pair<std::string, Descriptor>>& images) {
  Json manifests = Json::array();
  for (const auto& [platform, image] : images) {
    const auto parts = split(std::string_view(platform), '/');
    Json entry = {{"os", parts[0]}, {"architecture", parts.size() > 1 ? parts[1] : std::string_view()}};
    if (parts.size() > 2) entry["variant"] = parts[2];
    manifests.push_back({{"mediaType", image.media_type},
                         {"digest", image.digest},
                         {"size", image.size},
                         {"platform", std::move(entry)}});
  }
  Manifest index;
  index.bytes =
      Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", std::move(manifests)}}.dump();
  index.descriptor = {kIndexType, "sha256:" + sha256_hex(index.bytes), index.bytes.size()};
  return index;
}

}  // namespace runner::builds
