#include "cache/entry_manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
// More than the kernel stacks in one mount, and than any store of ours makes.
constexpr std::size_t kMostLayers = 500;
constexpr std::string_view kAlgorithm = "sha256:";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_input, "the entry's description " + what);
}

const json& member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) refuse("has no '" + std::string(name) + "'");
  return *found;
}

std::string text_of(const json& value, const char* name) {
  if (!value.is_string()) refuse("has no text as '" + std::string(name) + "'");
  auto text = value.get<std::string>();
  if (text.find('\0') != std::string::npos) refuse("has a zero byte in '" + std::string(name) + "'");
  return text;
}

std::string text_at(const json& object, const char* name) {
  return text_of(member(object, name), name);
}

/// Not negative, and small enough for every database.
std::int64_t number_at(const json& object, const char* name) {
  const json& value = member(object, name);
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    refuse("has no number as '" + std::string(name) + "'");
  return value.get<std::int64_t>();
}

bool is_digest(std::string_view text) {
  if (!text.starts_with(kAlgorithm) || text.size() != kAlgorithm.size() + 64) return false;
  text.remove_prefix(kAlgorithm.size());
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::vector<std::string> read_layers(const json& list) {
  if (!list.is_array() || list.empty()) refuse("names no layers");
  if (list.size() > kMostLayers)
    refuse("names " + std::to_string(list.size()) + " layers, and a stack has no more than " +
           std::to_string(kMostLayers));
  std::vector<std::string> layers;
  for (const json& value : list) {
    std::string digest = text_of(value, "layers");
    if (!is_digest(digest))
      refuse("names " + in_quotes(digest.substr(0, 100)) + ", which is no digest of a layer");
    layers.push_back(std::move(digest));
  }
  return layers;
}

EntryFacts read_facts(const json& object) {
  if (!object.is_object()) refuse("has no facts");
  EntryFacts facts;
  facts.family = text_at(object, "family");
  facts.origin = text_at(object, "origin");
  facts.contents = text_at(object, "contents");
  const json& inputs = member(object, "inputs");
  if (!inputs.is_array()) refuse("has no list as 'inputs'");
  for (const json& input : inputs) {
    if (!input.is_object()) refuse("has something else among its 'inputs'");
    facts.inputs.emplace_back(text_at(input, "name"), text_at(input, "value"));
  }
  return facts;
}

}  // namespace

std::string write_manifest(const EntryManifest& manifest) {
  json inputs = json::array();
  for (const auto& [name, value] : manifest.facts.inputs)
    inputs.push_back({{"name", name}, {"value", value}});
  const json document = {
      {"version", kVersion},
      {"space", to_string(manifest.name.space)},
      {"scope", manifest.name.scope},
      {"key", manifest.name.key},
      {"saved_at",
       static_cast<std::uint64_t>(std::max<std::int64_t>(0, manifest.saved_at.time_since_epoch().count()))},
      {"files", manifest.files},
      {"bytes", manifest.bytes},
      {"layers", manifest.layers},
      {"facts",
       {{"family", manifest.facts.family},
        {"origin", manifest.facts.origin},
        {"contents", manifest.facts.contents},
        {"inputs", inputs}}},
  };
  try {
    return document.dump(1) + "\n";
  } catch (const json::exception&) {
    throw Error(ErrorCode::invalid_input, "the key, the paths or another text of the entry is no UTF-8");
  }
}

EntryManifest read_manifest(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) refuse("is no JSON object");
  if (member(document, "version") != kVersion)
    refuse("is of another version than " + std::to_string(kVersion));
  if (text_at(document, "space") != to_string(Space::cache)) refuse("is not of a cache");
  EntryManifest manifest;
  manifest.name = {Space::cache, text_at(document, "scope"), text_at(document, "key")};
  if (manifest.name.key.empty()) refuse("has no key");
  manifest.saved_at = TimePoint(std::chrono::milliseconds(number_at(document, "saved_at")));
  manifest.files = static_cast<std::uint64_t>(number_at(document, "files"));
  manifest.bytes = static_cast<std::uint64_t>(number_at(document, "bytes"));
  manifest.layers = read_layers(member(document, "layers"));
  manifest.facts = read_facts(member(document, "facts"));
  return manifest;
}

}  // namespace runner::cache
