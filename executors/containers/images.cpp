#include "executors/containers/images.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "executors/containers/progress_lines.h"
#include "registry/logins.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;

// A layer that is unpacked on a slow disk is silent for minutes.
constexpr Waits kPull{std::chrono::seconds(20), std::chrono::minutes(15), std::chrono::milliseconds(0)};

const char* to_string(PullPolicy policy) {
  if (policy == PullPolicy::always) return "always";
  return policy == PullPolicy::never ? "never" : "if-not-present";
}

void say(LogSink& sink, const std::string& line) {
  const std::string text = line + "\n";
  sink.write(Stream::out, std::as_bytes(std::span(text)));
}

struct Meaning {
  const char* words;
  ErrorCode code;
  const char* reason;
};
// What registries and engines say, in lower case; the first that is found counts.
constexpr Meaning kMeanings[] = {
    {"invalid reference format", ErrorCode::invalid_input, "that is no name of an image"},
    {"repository name must be lowercase", ErrorCode::invalid_input, "that is no name of an image"},
    {"no space left", ErrorCode::unavailable, "the engine's disk is full; make room there"},
    {"toomanyrequests", ErrorCode::unavailable, "the registry lets nobody pull that often; log in, or wait"},
    {"no basic auth credentials", ErrorCode::invalid_input, "the registry wants a login; give one for it"},
    {"unauthorized", ErrorCode::invalid_input, "the registry refuses the login, or there is none for it"},
    {"authentication required", ErrorCode::invalid_input, "the registry wants a login; give one for it"},
    {"manifest unknown", ErrorCode::invalid_input, "there is no such tag or digest"},
    {"no matching manifest", ErrorCode::invalid_input, "there is none for this platform"},
    {"no image found in manifest list", ErrorCode::invalid_input, "there is none for this platform"},
    {"no such host", ErrorCode::unavailable, "the registry cannot be found; check its name and the network"},
    {"connection refused", ErrorCode::unavailable, "the registry does not answer; check its address"},
    {"network is unreachable", ErrorCode::unavailable, "the engine has no network"},
    {"x509:", ErrorCode::unavailable, "the engine does not trust the registry's certificate"},
    {"server gave http response to https", ErrorCode::unavailable,
     "the registry has no TLS; the engine must be told that it is insecure"},
    {"timeout", ErrorCode::unavailable, "the registry does not answer in time"},
    {"pull access denied", ErrorCode::invalid_input, "there is no such image, or it needs a login"},
    {"access to the resource is denied", ErrorCode::invalid_input,
     "there is no such image, or it needs a login"},
    {"denied", ErrorCode::invalid_input, "access is denied"},
    {"name unknown", ErrorCode::invalid_input, "there is no such image"},
    {"not found", ErrorCode::invalid_input, "there is no such image"},
};

[[noreturn]] void throw_pull_error(const std::string& name, const std::string& words) {
  const std::string lower = to_lower(words);
  for (const Meaning& meaning : kMeanings)
    if (lower.find(meaning.words) != std::string::npos)
      throw Error(meaning.code,
                  "image '" + name + "' cannot be pulled: " + meaning.reason + " (" + words + ")");
  throw Error(ErrorCode::unavailable, "image '" + name + "' cannot be pulled: " + words);
}

/// The error that a line of progress tells of; "" for none.
std::string error_of(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("error") || !json["error"].is_string()) return "";
  EngineAnswer answer;
  answer.body = json["error"].get<std::string>();
  return answer.message();
}

void pull(const EngineApi& api, const ContainerImage& image, const std::vector<RegistryLogin>& logins,
          const std::stop_token& stop) {
  const registry::Reference reference = registry::parse_reference(image.name);
  // As it was written: the administrator of Podman says what its short names stand for.
  std::string repository = image.name.substr(0, image.name.find('@'));
  if (!reference.tag.empty()) repository.resize(repository.size() - reference.tag.size() - 1);
  EngineCall call{"POST", "/images/create?fromImage=" + percent_encode(repository) +
                              "&tag=" + percent_encode(reference.wanted())};
  if (!image.platform.empty()) call.target += "&platform=" + percent_encode(image.platform);
  if (const RegistryLogin* login = login_for(reference, logins))
    call.fields.push_back("X-Registry-Auth: " + registry_auth(*login));
  ProgressLines lines;
  std::string words;
  const auto take = [&](std::string_view line) {
    if (std::string error = error_of(line); !error.empty()) words = std::move(error);
  };
  const EngineAnswer answer = api.stream(
      call, kPull, [] {}, [&](std::string_view bytes) { lines.feed(bytes, take); }, stop);
  lines.finish(take);
  if (!answer.ok()) words = answer.message();
  if (!words.empty()) throw_pull_error(image.name, words);
}

std::vector<std::string> words_of(const Json& config, const char* key) {
  std::vector<std::string> words;
  const auto found = config.find(key);
  if (found == config.end() || !found->is_array()) return words;
  for (const Json& word : *found)
    if (word.is_string()) words.push_back(word.get<std::string>());
  return words;
}

std::vector<std::uint16_t> ports_of(const Json& config) {
  std::vector<std::uint16_t> ports;
  const auto found = config.find("ExposedPorts");
  if (found == config.end() || !found->is_object()) return ports;
  for (const auto& [name, nothing] : found->items()) {
    const auto parts = split(std::string_view(name), '/');
    const auto port = parse_integer(parts[0]);
    if (port && *port > 0 && *port < 65536 && (parts.size() == 1 || parts[1] == "tcp"))
      ports.push_back(static_cast<std::uint16_t>(*port));
  }
  std::sort(ports.begin(), ports.end());
  return ports;
}

/// nullopt: the engine has no such image.
std::optional<ImageFacts> look_at(const EngineApi& api, const std::string& name,
                                  const std::stop_token& stop) {
  const EngineAnswer answer = api.call({"GET", image_path(name) + "/json"}, stop);
  if (answer.status == 404) return std::nullopt;
  if (!answer.ok()) throw_engine_error(answer, "look at the image '" + name + "'");
  const Json json = Json::parse(answer.body, nullptr, false);
  ImageFacts facts;
  if (json.is_object()) facts.id = json.value("Id", "");
  if (facts.id.empty())
    throw Error(ErrorCode::unavailable, "what the engine says of the image '" + name + "' cannot be read");
  // Podman leaves the algorithm out.
  if (facts.id.find(':') == std::string::npos) facts.id = "sha256:" + facts.id;
  const std::vector<std::string> digests = words_of(json, "RepoDigests");
  if (!digests.empty()) facts.digest = digests.front();
  if (json.contains("Config") && json["Config"].is_object()) {
    const Json& config = json["Config"];
    facts.entrypoint = words_of(config, "Entrypoint");
    facts.command = words_of(config, "Cmd");
    facts.tcp_ports = ports_of(config);
  }
  return facts;
}

ImageFacts provide_by(PullPolicy policy, const EngineApi& api, const ContainerImage& image,
                      const std::vector<RegistryLogin>& logins, LogSink& sink, const std::stop_token& stop,
                      const ImageRecords& records) {
  if (policy != PullPolicy::always)
    if (auto facts = look_at(api, image.name, stop)) return *facts;
  if (policy == PullPolicy::never)
    throw Error(
        ErrorCode::invalid_input,
        "image '" + image.name + "' cannot be pulled: it is not there, and the pull policy is 'never'");
  say(sink, "Pulling " + image.name + " (" + to_string(policy) + ")");
  std::vector<std::string> before;
  if (records.kept()) before = ImageRecords::all_images(api, stop);
  pull(api, image, logins, stop);
  auto facts = look_at(api, image.name, stop);
  if (!facts)
    throw Error(ErrorCode::unavailable,
                "image '" + image.name + "' was pulled, but the engine does not have it");
  records.pulled(facts->id, image.name, before);
  return *facts;
}

}  // namespace

ImageFacts provide_image(const EngineApi& api, const ContainerImage& image,
                         const std::vector<RegistryLogin>& logins, LogSink& sink, const std::stop_token& stop,
                         const ImageRecords& records) {
  registry::parse_reference(image.name);
  for (std::size_t i = 0;; ++i) {
    try {
      ImageFacts facts = provide_by(image.pull.at(i), api, image, logins, sink, stop, records);
      records.used(facts.id);
      say(sink, "Using " + image.name + ": " + (facts.digest.empty() ? facts.id : facts.digest));
      return facts;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled || i + 1 >= image.pull.size()) throw;
      say(sink, std::string("WARNING: ") + error.what());
    }
  }
}

// Slashes are part of the path, and engines take a name as it is.
std::string image_path(const std::string& name) {
  return "/images/" + replace_all(replace_all(percent_encode(name), "%2F", "/"), "%3A", ":");
}

const RegistryLogin* login_for(const registry::Reference& image, const std::vector<RegistryLogin>& logins) {
  const std::string full = image.repository();
  const RegistryLogin* best = nullptr;
  for (const RegistryLogin& login : logins) {
    const std::string& place = login.registry;
    if (place.empty() || !full.starts_with(place) || (best && place.size() <= best->registry.size()))
      continue;
    if (full.size() == place.size() || full[place.size()] == '/') best = &login;
  }
  return best;
}

std::string registry_auth(const RegistryLogin& login) {
  return registry::registry_auth_header(registry::Login{login.username, login.password, login.identity_token},
                                        login.registry.substr(0, login.registry.find('/')));
}

}  // namespace runner::executors
