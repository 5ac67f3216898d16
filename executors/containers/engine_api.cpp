#include "executors/containers/engine_api.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/fd.h"
#include "runner/base/http_transfer.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestAnswer = 16U << 20U;
constexpr std::size_t kLongestMessage = 2000;
constexpr std::size_t kReadSize = 64U << 10U;
// Versions this folder gets along with: Docker 19.03 has the oldest, and 1.44 is the oldest that Docker 29
// takes.
constexpr int kMajor = 1, kOldestMinor = 40, kNewestMinor = 44;
// The oldest of Podman's own API that is spoken here.
constexpr const char* kPodmanApi = "4.0.0";
constexpr Waits kOrdinary{std::chrono::seconds(20), std::chrono::minutes(2), std::chrono::minutes(10)};

HttpRequest request_for(const EngineCall& call, const std::filesystem::path& socket, const std::string& api) {
  HttpRequest request;
  // The host is not looked up; engines want one to be named.
  request.url = "http://engine" + (api.empty() ? std::string() : "/v" + api) + call.target;
  request.method = call.method;
  request.unix_socket = socket;
  request.body = call.body;
  request.fields = call.fields;
  if (!call.body.empty()) request.fields.emplace_back("Content-Type: application/json");
  return request;
}

std::string read_whole(HttpTransfer& transfer) {
  std::string body;
  const auto buffer = std::make_unique<char[]>(kReadSize);
  while (const std::size_t got = transfer.read_some(buffer.get(), kReadSize)) {
    if (body.size() + got > kLongestAnswer)
      throw Error(ErrorCode::corrupt, "the answer is longer than " + format_bytes(kLongestAnswer));
    body.append(buffer.get(), got);
  }
  return body;
}

/// "1.41" as its second number; nullopt when it is no version 1.x.
std::optional<int> minor_of(std::string_view version) {
  const auto parts = split(version, '.');
  if (parts.size() != 2 || parse_integer(parts[0]) != kMajor) return std::nullopt;
  const auto minor = parse_integer(parts[1]);
  if (!minor || *minor < 0 || *minor > 1000) return std::nullopt;
  return static_cast<int>(*minor);
}

// libcurl only says that it cannot connect; what is in the way decides what mends it.
void check_reachable(const std::filesystem::path& path) {
  connect_to_engine(path);
}

}  // namespace

UniqueFd connect_to_engine(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    throw Error(ErrorCode::invalid_input, "the path of the engine's socket is too long: '" + path.native() +
                                              "'; give one of less than " +
                                              std::to_string(sizeof address.sun_path) + " bytes");
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("cannot make a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  const int error = errno;
  const std::string at = " at '" + path.native() + "'";
  if (error == EACCES || error == EPERM)
    throw Error(ErrorCode::unavailable,
                "no permission to use the container engine" + at +
                    "; let this user have it (for Docker: the group 'docker'), or use an engine of its own");
  if (error == ENOENT || error == ENOTDIR || error == ECONNREFUSED)
    throw Error(ErrorCode::unavailable,
                "no container engine answers" + at +
                    "; start Docker, or Podman's service (podman system service), or name the right socket");
  throw_errno(error, "cannot talk to the container engine" + at);
}

std::string EngineAnswer::message() const {
  std::string text;
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string())
    text = json["message"].get<std::string>();
  if (text.empty()) text = body;
  text = to_utf8(trim(text).substr(0, kLongestMessage));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text.empty() ? "status " + std::to_string(status) : text;
}

void throw_engine_error(const EngineAnswer& answer, std::string_view what) {
  ErrorCode code = ErrorCode::unavailable;
  if (answer.status == 400 || answer.status == 401 || answer.status == 403) code = ErrorCode::invalid_input;
  if (answer.status == 404) code = ErrorCode::not_found;
  if (answer.status == 409) code = ErrorCode::conflict;
  throw Error(code, "cannot " + std::string(what) + ": " + answer.message());
}

EngineApi::EngineApi(std::filesystem::path socket, std::string api, bool podman)
    : socket_(std::move(socket)), api_(std::move(api)), podman_(podman) {}

EngineApi EngineApi::of_podman() const {
  return EngineApi(socket_, kPodmanApi, podman_);
}

EngineVersion EngineApi::agree(std::stop_token stop) {
  check_reachable(socket_);
  api_.clear();
  const std::string at = "the container engine at '" + socket_.native() + "'";
  // Not /version: Podman then asks its packages who they are, for seconds.
  EngineAnswer answer = call({"GET", "/_ping"}, std::move(stop));
  if (!answer.ok()) throw_engine_error(answer, "talk to " + at);
  const auto newest = minor_of(answer.fields["api-version"]);
  if (!newest)
    throw Error(ErrorCode::unavailable, "what answers at '" + socket_.native() + "' is no container engine");
  if (*newest < kOldestMinor)
    throw Error(ErrorCode::unavailable, at + " is too old: it speaks version 1." + std::to_string(*newest) +
                                            " of the API, needed is 1." + std::to_string(kOldestMinor) +
                                            "; install Docker 19.03 or Podman 4, or newer");
  EngineVersion version;
  version.api = std::to_string(kMajor) + "." + std::to_string(std::min(kNewestMinor, *newest));
  version.podman = !answer.fields["libpod-api-version"].empty();
  // "Docker/20.10.24 (linux)"
  const std::string server = answer.fields["server"];
  const std::size_t slash = server.find('/');
  version.name = version.podman ? "Podman" : "Docker";
  if (slash != std::string::npos)
    version.name += " " + server.substr(slash + 1, server.find(' ') - slash - 1);
  api_ = version.api;
  podman_ = version.podman;
  return version;
}

EngineAnswer EngineApi::call(const EngineCall& call, const Waits& waits, std::stop_token stop) const {
  std::string body;
  EngineAnswer answer = stream(
      call, waits, [] {},
      [&body](std::string_view bytes) {
        if (body.size() + bytes.size() > kLongestAnswer)
          throw Error(ErrorCode::corrupt, "the answer is longer than " + format_bytes(kLongestAnswer));
        body += bytes;
      },
      std::move(stop));
  if (answer.ok()) answer.body = std::move(body);
  return answer;
}

EngineAnswer EngineApi::call(const EngineCall& asked, std::stop_token stop) const {
  return call(asked, kOrdinary, std::move(stop));
}

std::string EngineApi::expect(const EngineCall& asked, std::string_view what, std::stop_token stop) const {
  EngineAnswer answer;
  try {
    answer = call(asked, std::move(stop));
  } catch (Error& error) {
    error.add_context("cannot " + std::string(what));
    throw;
  }
  if (!answer.ok()) throw_engine_error(answer, what);
  return std::move(answer.body);
}

EngineAnswer EngineApi::stream(const EngineCall& call, const Waits& waits, const std::function<void()>& begun,
                               const std::function<void(std::string_view)>& take,
                               std::stop_token stop) const {
  Patience patience(waits, std::move(stop));
  HttpTransfer transfer(request_for(call, socket_, api_), patience);
  try {
    EngineAnswer answer;
    HttpHead head = transfer.head();
    answer.status = head.status;
    answer.fields = std::move(head.fields);
    if (!answer.ok()) {
      answer.body = read_whole(transfer);
      return answer;
    }
    begun();
    const auto buffer = std::make_unique<char[]>(kReadSize);
    while (const std::size_t got = transfer.read_some(buffer.get(), kReadSize))
      take(std::string_view(buffer.get(), got));
    return answer;
  } catch (Error& error) {
    // What is in the way, when nothing answers any more.
    if (error.code() == ErrorCode::unavailable) check_reachable(socket_);
    error.add_context("the container engine at '" + socket_.native() + "'");
    throw;
  }
}

}  // namespace runner::executors
