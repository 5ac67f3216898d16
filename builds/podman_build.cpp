#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "builds/build_log.h"
#include "builds/context_tar.h"
#include "builds/dockerfile_lines.h"
#include "builds/image_builder.h"
#include "executors/containers/progress_lines.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/http_transfer.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using Json = nlohmann::json;
using Values = std::map<std::string, std::string>;

// Beside the files of the context; ADD and COPY do not see the first, and Podman moves the others away.
constexpr const char* kDockerfile = ".runner-build.dockerfile";
constexpr const char* kSecret = ".runner-build.secret.";
constexpr std::size_t kLongestLine = 4U << 20U, kPiece = 64U << 10U;
// An instruction may be silent for hours; the job has its own time limit.
constexpr Waits kBuild{std::chrono::seconds(20), std::chrono::milliseconds(0), std::chrono::milliseconds(0)};

/// What Podman says while it builds: JSON objects, one a line.
class BuildOutput {
 public:
  void take(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    if (json.contains("stream") && json["stream"].is_string()) {
      const std::string text = json["stream"];
      write_all(1, text);
      if (const std::string_view word = trim(text); !word.empty()) last_ = word;
    }
    if (json.contains("error") && json["error"].is_string()) error_ = json["error"].get<std::string>();
  }

  const std::string& error() const noexcept { return error_; }
  /// The last that it says is the image; "" when that is none.
  std::string image() const {
    const std::string id = last_.starts_with("sha256:") ? last_ : "sha256:" + last_;
    return id.size() == 71 && id.find_first_not_of("0123456789abcdef", 7) == std::string::npos ? id : "";
  }

 private:
  std::string last_, error_;
};

std::string query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters)
    text += (text.empty() ? "?" : "&") + name + '=' + percent_encode(value);
  return text;
}

std::string json_of(const Values& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) {
    if (!is_utf8(name) || !is_utf8(value))
      throw Error(ErrorCode::invalid_input,
                  "the argument or label " + in_quotes(to_utf8(name)) + " is not UTF-8, which Podman needs");
    json[name] = value;
  }
  return json.dump();
}

/// Images in Docker's format find no layers of earlier builds in Buildah 1.28. So they are OCI images, as
/// those of `podman build` are; but for instructions that OCI images cannot keep.
const char* image_format(const std::string& dockerfile) {
  const DockerfileText text = read_dockerfile_lines(dockerfile, kDockerfile);
  const bool dockers = std::any_of(text.lines.begin(), text.lines.end(), [&](const DockerfileLine& line) {
    const std::vector<DockerfileWord> words = words_of(line, text.escape);
    if (words.empty()) return false;
    const std::string word =
        to_lower(std::string_view(line.text).substr(words[0].begin, words[0].end - words[0].begin));
    return word == "healthcheck" || word == "onbuild" || word == "shell";
  });
  return dockers ? "application/vnd.docker.distribution.manifest.v2+json"
                 : "application/vnd.oci.image.manifest.v1+json";
}

std::string message_of(HttpTransfer& transfer) {
  executors::EngineAnswer answer;
  char piece[4096];
  while (const std::size_t got = transfer.read_some(piece, sizeof piece)) {
    answer.body.append(piece, got);
    if (answer.body.size() > kPiece) break;
  }
  return answer.message();
}

void read_output(HttpTransfer& transfer, BuildOutput& output) {
  const auto piece = std::make_unique<char[]>(kPiece);
  executors::ProgressLines lines(kLongestLine);
  const auto take = [&](std::string_view line) { output.take(line); };
  while (const std::size_t got = transfer.read_some(piece.get(), kPiece))
    lines.feed({piece.get(), got}, take);
  lines.finish(take);
}

}  // namespace

std::string podman_target(const BuildOrder& order, const Values& secret_files) {
  const BuildRequest& request = order.request;
  const bool cached = request.cache.enabled && !request.rebuild;
  std::vector<std::pair<std::string, std::string>> parameters = {
      {"dockerfile", Json::array({kDockerfile}).dump()},
      {"excludes", Json::array({kDockerfile}).dump()},
      {"buildargs", json_of(request.args)},
      {"labels", json_of(order.labels)},
      {"layers", "1"},
      {"outputformat", image_format(order.dockerfile)},
      {"rm", "1"},
      {"forcerm", "1"}};
  if (!request.target.empty()) parameters.emplace_back("target", request.target);
  if (!order.platform.empty()) parameters.emplace_back("platform", order.platform);
  if (request.created > 0) parameters.emplace_back("timestamp", std::to_string(request.created));
  if (!cached) parameters.emplace_back("nocache", "1");
  if (cached && !request.cache.to.empty()) {
    parameters.emplace_back("cachefrom", request.cache.to);
    parameters.emplace_back("cacheto", request.cache.to);
  }
  Json secrets = Json::array();
  for (const auto& [id, file] : secret_files) secrets.push_back("id=" + id + ",src=" + file);
  if (!secrets.empty()) parameters.emplace_back("secrets", secrets.dump());
  return "/libpod/build" + query(parameters);
}

std::string podman_config(const std::map<std::string, registry::Login>& logins) {
  Json all = Json::object();
  for (const auto& [host, login] : logins) {
    Json entry = {{"username", to_utf8(login.username)}, {"password", to_utf8(login.password)}};
    if (!login.identity_token.empty()) entry["identitytoken"] = to_utf8(login.identity_token);
    all[host] = std::move(entry);
  }
  return to_base64_url(all.dump());
}

std::string build_with_podman(BuildEngine& engine, const BuildOrder& order, const std::stop_token& stop) {
  const BuildRequest& request = order.request;
  say("Building with Buildah of " + engine.version(stop).name);
  Values secret_files;
  std::vector<AddedFile> added = {{kDockerfile, order.dockerfile, 0600}};
  for (const auto& [id, content] : request.secrets) {
    secret_files[id] = kSecret + std::to_string(secret_files.size());
    added.push_back({secret_files[id], content, 0600});
  }
  ContextTar tar(order.context.directory.get(), order.context.rules, std::move(added), request.created);
  HttpRequest http;
  http.url = "http://engine/v4.0.0" + podman_target(order, secret_files);
  http.method = "POST";
  http.unix_socket = request.socket;
  http.source.read = [&](char* buffer, std::size_t size) { return tar.read(buffer, size); };
  http.fields = {"Content-Type: application/x-tar", "X-Registry-Config: " + podman_config(order.logins)};
  Patience patience(kBuild, stop);
  HttpTransfer transfer(std::move(http), patience);
  BuildOutput output;
  try {
    const HttpHead head = transfer.head();
    if (head.status != 200) {
      const std::string why = harmless(message_of(transfer));
      throw Error(head.status < 500 ? ErrorCode::invalid_input : ErrorCode::unavailable,
                  "the image was not built: " + why);
    }
    read_output(transfer, output);
  } catch (Error& error) {
    if (error.code() == ErrorCode::unavailable && !engine.answers())
      error.add_context("the engine went away while it built");
    throw;
  }
  if (!output.error().empty()) {
    const std::string why = "the image was not built: " + harmless(output.error());
    if (goes_away(output.error()) || !engine.answers()) throw Error(ErrorCode::unavailable, why);
    throw BuildFailed(why);
  }
  std::string image = output.image();
  if (image.empty())
    throw Error(ErrorCode::unavailable,
                "the engine ended the build without an image and without a reason; it may have been stopped");
  return image;
}

}  // namespace runner::builds
