#include "builds/input_key.h"

#include <nlohmann/json.hpp>

#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using Json = nlohmann::json;
using Named = std::map<std::string, std::string>;

// Changes when equal inputs are to give another image, as the way of building changed.
constexpr int kVersion = 1;
constexpr std::size_t kTagDigits = 32, kShown = 19;  // "sha256:" and 12 digits

std::string shown(std::string_view digest) {
  return std::string(digest.substr(0, kShown));
}

/// Names are of Dockerfiles: any bytes.
Json named(const Named& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) json[to_utf8(name)] = value;
  return json;
}

std::string platforms_text(const std::vector<std::string>& platforms) {
  return platforms.empty() ? "the engine's" : join(platforms, ", ");
}

}  // namespace

std::string argument_digest(std::string_view name, std::string_view value) {
  return sha256_hex(std::string(name) + '=' + std::string(value));
}

std::string inputs_text(const BuildInputs& inputs) {
  const Json json = {{"version", kVersion},
                     {"context", inputs.context},
                     {"dockerfile", inputs.dockerfile},
                     {"target", to_utf8(inputs.target)},
                     {"args", named(inputs.args)},
                     {"platforms", inputs.platforms},
                     {"bases", named(inputs.bases)}};
  return json.dump();
}

std::string input_key(const BuildInputs& inputs) {
  return sha256_hex(inputs_text(inputs));
}

std::string key_tag(std::string_view key) {
  return "runner-" + std::string(key.substr(0, kTagDigits));
}

std::optional<BuildInputs> parse_inputs(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    if (json.at("version") != kVersion) return std::nullopt;
    BuildInputs inputs;
    inputs.context = json.at("context");
    inputs.dockerfile = json.at("dockerfile");
    inputs.target = json.at("target");
    inputs.args = json.at("args").get<Named>();
    inputs.platforms = json.at("platforms").get<std::vector<std::string>>();
    inputs.bases = json.at("bases").get<Named>();
    return inputs;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::vector<std::string> changed_inputs(const BuildInputs& before, const BuildInputs& now) {
  std::vector<std::string> lines;
  if (before.dockerfile != now.dockerfile) lines.emplace_back("the Dockerfile changed");
  if (before.context != now.context) lines.emplace_back("the context changed");
  if (before.target != now.target)
    lines.push_back("the target changed: " + in_quotes(before.target) + " -> " + in_quotes(now.target));
  if (before.platforms != now.platforms)
    lines.push_back("the platforms changed: " + platforms_text(before.platforms) + " -> " +
                    platforms_text(now.platforms));
  for (const auto& [name, value] : now.args) {
    const auto old = before.args.find(name);
    if (old == before.args.end())
      lines.push_back("argument " + name + " is new");
    else if (old->second != value)
      lines.push_back("argument " + name + " changed");
  }
  for (const auto& [name, value] : before.args)
    if (now.args.count(name) == 0) lines.push_back("argument " + name + " is gone");
  for (const auto& [image, digest] : now.bases) {
    const auto old = before.bases.find(image);
    if (old == before.bases.end())
      lines.push_back("base " + image + " is new: " + shown(digest));
    else if (old->second != digest)
      lines.push_back("base " + image + " moved: " + shown(old->second) + " -> " + shown(digest));
  }
  for (const auto& [image, digest] : before.bases)
    if (now.bases.count(image) == 0) lines.push_back("base " + image + " is gone");
  return lines;
}

}  // namespace runner::builds
