#include "executors/containers/container_client.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "executors/containers/engine_api.h"
#include "executors/containers/engine_things.h"
#include "executors/containers/frame_reader.h"
#include "executors/containers/signal_relay.h"
#include "runner/base/files.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* kRequestFile = "request";
constexpr const char* kVerdictFile = "verdict";
constexpr unsigned kPrivate = 0600;
// A container may be silent for days.
constexpr Waits kForever{std::chrono::seconds(20), milliseconds(0), milliseconds(0)};
// The process that cleans up was killed when it takes longer; then the next run does it.
constexpr std::chrono::seconds kCleaning{20};
constexpr milliseconds kBetweenLooks{20};

constexpr const char* kKinds[] = {"oom", "refused", "unusable", "lost"};

void write_verdict(const fs::path& step_dir, const Verdict& verdict) {
  const Json json = {{"kind", kKinds[static_cast<int>(verdict.kind)]}, {"why", to_utf8(verdict.why)}};
  write_file_atomic(step_dir / kVerdictFile, json.dump(), kPrivate, false);
}

ClientRequest read_request(const fs::path& step_dir) {
  const auto text = read_file(step_dir / kRequestFile);
  if (!text) throw Error(ErrorCode::not_found, "there is no request in '" + step_dir.native() + "'");
  try {
    const Json json = Json::parse(*text);
    return {json.at("socket").get<std::string>(), json.at("api"),
            json.value("podman", false),          json.at("container"),
            json.value("again", false),           json.at("ends_with")};
  } catch (const Json::exception&) {
    throw Error(ErrorCode::corrupt, "the request in '" + step_dir.native() + "' is damaged");
  }
}

struct Refused {
  EngineAnswer answer;
};

/// What the engine's words mean: the job asked for what its image has not, or something is wrong here.
Verdict verdict_of(const EngineAnswer& answer, const std::string& what) {
  const std::string message = answer.message();
  Verdict verdict{Verdict::Kind::unusable, "cannot " + what + ": " + message};
  if (answer.status == 404 && message.find("executable") == std::string::npos) {
    verdict = {Verdict::Kind::lost, "its container is gone: " + message};
  } else if (message.find("executable file") != std::string::npos ||
             message.find("exec: \"") != std::string::npos ||
             message.find("unable to find user") != std::string::npos ||
             message.find("no users found") != std::string::npos) {
    verdict.kind = Verdict::Kind::refused;
    verdict.why += "; the image must have a shell 'sh', its entrypoint and its user";
  }
  return verdict;
}

std::string path_of(const ClientRequest& request) {
  return "/containers/" + percent_encode(request.container);
}

/// The ordinary end of a container, or a verdict.
struct End {
  int code = 0;
  std::optional<Verdict> verdict;
};

End not_known(const EngineAnswer& answer) {
  return {0, Verdict{Verdict::Kind::lost, "its end is not known: " + answer.message()}};
}

/// What the engine says of a container's state; null when it does not.
Json state_of(const EngineAnswer& answer) {
  const Json json = Json::parse(answer.body, nullptr, false);
  return answer.ok() && json.is_object() && json.contains("State") && json["State"].is_object()
             ? json["State"]
             : Json();
}

End read_end(const EngineApi& api, const ClientRequest& request) {
  const EngineCall look{"GET", path_of(request) + "/json"};
  EngineAnswer answer;
  Json state;
  // Podman knows it before it has cleaned up, and waits for that when it is asked to wait.
  if (api.podman()) state = state_of(answer = api.call(look));
  if (state.is_null() || state.value("Running", true)) {
    const EngineAnswer waited = await_end(api, request.container, kForever);
    if (!waited.ok()) return not_known(waited);
    state = state_of(answer = api.call(look));
  }
  if (state.is_null()) return not_known(answer);
  const int code = state.value("ExitCode", -1);
  if (code < 0 || code > 255)
    return {0,
            Verdict{Verdict::Kind::lost, "the engine gives " + std::to_string(code) + " as its exit code"}};
  // A script that gets over the death of one of its processes has not failed.
  if (code != 0 && state.value("OOMKilled", false)) return {code, Verdict{Verdict::Kind::oom, {}}};
  return {code, std::nullopt};
}

// Podman takes away what a run had (mounts, network) in a process of its own, some time after the end: it
// would take it from the next run.
void await_cleaning(const EngineApi& api, const ClientRequest& request) {
  const auto deadline = std::chrono::steady_clock::now() + kCleaning;
  while (std::chrono::steady_clock::now() < deadline) {
    const Json state = state_of(api.call({"GET", path_of(request) + "/json"}));
    if (state.is_null() || state.value("Status", "") != "stopped") return;
    ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()));
  }
}

End follow(const EngineApi& api, const ClientRequest& request) {
  const std::string path = path_of(request);
  if (request.again && api.podman()) await_cleaning(api, request);
  SignalRelay relay(api, request.container, request.ends_with);
  FrameReader frames;
  std::optional<Verdict> refusal;
  const auto copy = [&](std::string_view bytes) {
    frames.feed(bytes, [](Stream, std::string_view output) { write_all(STDOUT_FILENO, output); });
  };
  // Once we are attached, so that nothing is missed.
  const auto start = [&] {
    const EngineAnswer started = api.call({"POST", path + "/start"});
    if (started.status == 304) refusal = {Verdict::Kind::unusable, "the step before still runs"};
    if (started.status != 304 && !started.ok()) refusal = verdict_of(started, "start the container");
    if (refusal) throw Refused{started};
    relay.container_started();
  };
  std::string broken;
  try {
    const EngineAnswer attached =
        api.stream({"POST", path + "/attach?stream=1&stdout=1&stderr=1"}, kForever, start, copy);
    if (!attached.ok()) return {0, verdict_of(attached, "attach to the container")};
    if (!frames.at_boundary()) broken = "the output was cut off";
  } catch (const Refused&) {
    return {0, refusal};
  } catch (const Error& error) {
    broken = error.what();
  }
  if (!broken.empty()) return {0, Verdict{Verdict::Kind::lost, broken}};
  return read_end(api, request);
}

}  // namespace

void write_request(const fs::path& step_dir, const ClientRequest& request) {
  try {
    const Json json = {
        {"socket", request.socket.native()}, {"api", request.api},     {"podman", request.podman},
        {"container", request.container},    {"again", request.again}, {"ends_with", request.ends_with}};
    write_file_atomic(step_dir / kRequestFile, json.dump(), kPrivate, false);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::invalid_input, "the path of the engine's socket is not UTF-8");
  }
}

std::optional<Verdict> read_verdict(const fs::path& step_dir) {
  const auto text = read_file(step_dir / kVerdictFile);
  if (!text) return std::nullopt;
  try {
    const Json json = Json::parse(*text);
    const auto kind = json.at("kind").get<std::string>();
    for (int i = 0; i < 4; ++i)
      if (kind == kKinds[i]) return Verdict{static_cast<Verdict::Kind>(i), json.at("why")};
  } catch (const Json::exception&) {
    // Said below, as for a kind that is not known.
  }
  throw Error(ErrorCode::corrupt, "'" + (step_dir / kVerdictFile).native() + "' is damaged");
}

int container_step_main(const char* step_dir) {
  std::signal(SIGPIPE, SIG_IGN);
  End end;
  try {
    const ClientRequest request = read_request(step_dir);
    const EngineApi api(request.socket, request.api, request.podman);
    end = follow(api, request);
  } catch (const std::exception& error) {
    end.verdict = Verdict{Verdict::Kind::lost, error.what()};
  }
  if (!end.verdict) return end.code;
  try {
    write_verdict(step_dir, *end.verdict);
  } catch (const std::exception&) {
    // The signal says as much as can be said.
  }
  if (end.verdict->kind == Verdict::Kind::oom) return end.code;
  ::kill(::getpid(), SIGKILL);
  return 1;  // not reached
}

}  // namespace runner::executors
