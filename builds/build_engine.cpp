#include "builds/build_engine.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "builds/build_log.h"
#include "executors/containers/progress_lines.h"
#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using executors::EngineAnswer;
using executors::EngineCall;
using Json = nlohmann::json;

// A large layer is sent without a word for minutes.
constexpr Waits kPush{std::chrono::seconds(20), std::chrono::minutes(15), std::chrono::milliseconds(0)};

/// A name as part of a path: engines take slashes and colons there as they are.
std::string in_path(const std::string& name) {
  return replace_all(replace_all(replace_all(percent_encode(name), "%2F", "/"), "%3A", ":"), "%40", "@");
}

/// A build names its image once it is done. Podman goes on after a build was cancelled, with what the
/// instruction that it killed had done by then: that image has all labels, and is not what was asked for.
bool has_name(const Json& image) {
  const auto names = image.find("RepoTags");
  if (names == image.end() || !names->is_array()) return false;
  return std::any_of(names->begin(), names->end(), [](const Json& name) {
    return name.is_string() && !name.get<std::string>().starts_with("<none>");
  });
}

/// What a push comes to.
class PushProgress {
 public:
  void take(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    if (json.contains("error") && json["error"].is_string()) error = json["error"].get<std::string>();
    if (json.contains("aux") && json["aux"].is_object() && json["aux"].contains("Digest") &&
        json["aux"]["Digest"].is_string())
      digest = json["aux"]["Digest"];
    if (json.contains("status") && json["status"].is_string()) take_status(json["status"].get<std::string>());
  }

  std::string error, digest;

 private:
  // "1.2: digest: sha256:... size: 1356"
  void take_status(const std::string& status) {
    constexpr std::string_view kDigest = ": digest: ";
    const std::size_t at = status.find(kDigest);
    if (at == std::string::npos) return;
    const std::size_t begin = at + kDigest.size();
    digest = status.substr(begin, status.find(' ', begin) - begin);
  }
};

[[noreturn]] void throw_push_error(const registry::Reference& name, const std::string& words) {
  const std::string what = in_quotes(name.text()) + " cannot be pushed: " + harmless(words);
  if (goes_away(words)) throw Error(ErrorCode::unavailable, what);
  const std::string lower = to_lower(words);
  for (const char* word : {"unauthorized", "authentication required", "no basic auth", "denied"})
    if (lower.find(word) != std::string::npos)
      throw Error(ErrorCode::invalid_input,
                  what + "; give a login that may write there, by DOCKER_AUTH_CONFIG or CI_REGISTRY_USER");
  if (lower.find("x509") != std::string::npos || lower.find("certificate") != std::string::npos)
    throw Error(ErrorCode::unavailable,
                what + "; the engine must trust the registry's certificate (certs.d of the engine)");
  throw Error(ErrorCode::unavailable, what);
}

}  // namespace

BuildEngine::BuildEngine(std::filesystem::path socket, std::vector<std::string> insecure)
    : api_(std::move(socket)), insecure_(std::move(insecure)) {}

const executors::EngineVersion& BuildEngine::version(const std::stop_token& stop) {
  if (api_.socket().empty())
    throw Error(ErrorCode::unavailable,
                "there is no engine that could build an image; install Docker, or Podman with its service");
  if (!version_) version_ = api_.agree(stop);
  return *version_;
}

bool BuildEngine::answers() noexcept {
  try {
    return api_
        .call({"GET", "/_ping"},
              Waits{std::chrono::seconds(5), std::chrono::seconds(10), std::chrono::seconds(10)})
        .ok();
  } catch (const std::exception&) {
    return false;
  }
}

std::optional<LocalImage> BuildEngine::find(const std::string& image, const std::stop_token& stop) {
  version(stop);
  const EngineAnswer answer = api_.call({"GET", "/images/" + in_path(image) + "/json"}, stop);
  if (answer.status == 404) return std::nullopt;
  if (!answer.ok()) executors::throw_engine_error(answer, "look at the image " + in_quotes(image));
  LocalImage found;
  try {
    const Json json = Json::parse(answer.body);
    found.id = json.at("Id");
    // Podman leaves the algorithm out.
    if (found.id.find(':') == std::string::npos) found.id = "sha256:" + found.id;
    found.bytes = json.value("Size", std::uint64_t{0});
    if (json.contains("RepoDigests") && json["RepoDigests"].is_array())
      found.repo_digests = json["RepoDigests"].get<std::vector<std::string>>();
    const Json config = json.value("Config", Json::object());
    if (config.contains("Labels") && config["Labels"].is_object())
      found.labels = config["Labels"].get<std::map<std::string, std::string>>();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::unavailable,
                "what the engine says of the image " + in_quotes(image) + " cannot be read");
  }
  return found;
}

std::optional<std::string> BuildEngine::find_by_key(const std::string& key, const std::stop_token& stop) {
  version(stop);
  const Json filter = {{"label", {"io.runner.key=" + key}}};
  const std::string body =
      api_.expect({"GET", "/images/json?filters=" + percent_encode(filter.dump())}, "look for images", stop);
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_array()) throw Error(ErrorCode::unavailable, "the engine's list of images cannot be read");
  for (const Json& image : json) {
    if (!image.is_object() || !image.contains("Id") || !image["Id"].is_string()) continue;
    if (!has_name(image)) continue;
    // Not every engine takes a filter that it does not know for one that nothing passes.
    const Json labels = image.value("Labels", Json());
    if (labels.is_object() && labels.value("io.runner.key", "") == key) return image["Id"].get<std::string>();
  }
  return std::nullopt;
}

void BuildEngine::tag(const std::string& image, const registry::Reference& as, const std::stop_token& stop) {
  version(stop);
  api_.expect({"POST", "/images/" + in_path(image) + "/tag?repo=" + percent_encode(as.repository()) +
                           "&tag=" + percent_encode(as.tag)},
              "name the image " + in_quotes(as.text()), stop);
}

void BuildEngine::untag(const registry::Reference& name, const std::stop_token& stop) {
  version(stop);
  const EngineAnswer answer =
      api_.call({"DELETE", "/images/" + in_path(name.text()) + "?noprune=true"}, stop);
  if (!answer.ok() && answer.status != 404 && answer.status != 409)
    executors::throw_engine_error(answer, "remove the name " + in_quotes(name.text()));
}

std::string BuildEngine::push(const registry::Reference& name, const std::optional<registry::Login>& login,
                              const std::stop_token& stop) {
  version(stop);
  EngineCall call{"POST", "/images/" + in_path(name.repository()) + "/push?tag=" + percent_encode(name.tag)};
  call.fields.push_back("X-Registry-Auth: " + registry::registry_auth_header(login, name.host));
  // Docker knows by itself which registries need no TLS; Podman is told.
  if (std::find(insecure_.begin(), insecure_.end(), name.host) != insecure_.end())
    call.target += "&tlsVerify=false";
  executors::ProgressLines lines;
  PushProgress progress;
  const auto take = [&](std::string_view line) { progress.take(line); };
  const EngineAnswer answer = api_.stream(
      call, kPush, [] {}, [&](std::string_view bytes) { lines.feed(bytes, take); }, stop);
  if (!answer.ok()) throw_push_error(name, answer.message());
  lines.finish(take);
  if (!progress.error.empty()) throw_push_error(name, progress.error);
  try {
    registry::check_digest(progress.digest);
  } catch (const Error&) {
    throw Error(ErrorCode::unavailable,
                "the engine pushed " + in_quotes(name.text()) + " and does not say under which digest");
  }
  return progress.digest;
}

}  // namespace runner::builds
