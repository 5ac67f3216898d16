#include "deployments/targets/compose_command.h"

#include <poll.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "executors/containers/frame_reader.h"
#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kLongestLine = 64U << 10U;
constexpr milliseconds kConnect{20'000}, kBetweenLooks{100};
constexpr std::string_view kProcess = "runner-process ";

/// Lines of frames, of both streams in the order in which they come.
class FrameLines {
 public:
  explicit FrameLines(const OnLine& take) : take_(take) {}
  void feed(std::string_view bytes) {
    frames_.feed(bytes, [&](auto, std::string_view piece) {
      for (std::size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;
           piece.remove_prefix(end + 1)) {
        kept_ += piece.substr(0, end);
        finish(true);
      }
      kept_ += piece;
      if (kept_.size() >= kLongestLine) finish(false);
    });
  }
  void finish(bool whole) {
    if (take_ && (whole || !kept_.empty())) take_(kept_);
    kept_.clear();
  }

 private:
  const OnLine& take_;
  executors::FrameReader frames_;
  std::string kept_;
};

std::string path_of(const std::string& container) {
  return "/containers/" + percent_encode(container);
}

milliseconds until(Steady::time_point deadline) {
  return std::max(std::chrono::ceil<milliseconds>(deadline - Steady::now()), milliseconds(1));
}

Json state_of(ComposeEngine& engine, const std::string& container) {
  const executors::EngineAnswer answer = engine.api({}).call({"GET", path_of(container) + "/json"});
  if (answer.status == 404) return {};
  if (!answer.ok()) executors::throw_engine_error(answer, "look at the container of a command");
  const Json json = Json::parse(answer.body, nullptr, false);
  return json.is_object() && json.contains("State") ? json["State"] : Json();
}

/// Starts it, or finds that it was.
std::string make_exec(const executors::EngineApi& api, const std::string& container,
                      const std::vector<std::string>& words, const TargetCommand& command,
                      const std::stop_token& stop) {
  Json env = Json::array();
  for (const auto& [name, value] : command.env) env.push_back(name + "=" + value);
  const Json body = {{"AttachStdout", true}, {"AttachStderr", true}, {"Cmd", words}, {"Env", env}};
  std::string text;
  try {
    text = body.dump();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::invalid_input, in_quotes(command.name) + " has a variable that is not UTF-8");
  }
  const Json made = Json::parse(api.expect({"POST", path_of(container) + "/exec", text},
                                           "run " + in_quotes(command.name) + " in the container", stop),
                                nullptr, false);
  std::string id = made.is_object() ? made.value("Id", "") : "";
  if (id.empty()) throw Error(ErrorCode::unavailable, "the container engine runs no command");
  return id;
}

void kill_exec(const executors::EngineApi& api, const std::string& container, const std::string& process) {
  if (process.empty() || process.find_first_not_of("0123456789") != std::string::npos) return;
  try {
    const std::string id = make_exec(
        api, container, {"sh", "-c", "kill -KILL -" + process + " || kill -KILL " + process}, {}, {});
    api.stream(
        {"POST", "/exec/" + id + "/start", R"({"Detach":false,"Tty":false})"}, {kConnect, kConnect, kConnect},
        [] {}, [](std::string_view) {});
  } catch (const Error&) {
    // The container is gone, and the command with it.
  }
}

}  // namespace

CommandResult exec_in(ComposeEngine& engine, const std::string& container, const TargetCommand& command,
                      const OnLine& line, const std::stop_token& stop) {
  const executors::EngineApi api = engine.api(stop);
  const std::string id = make_exec(
      api, container, {"sh", "-c", "echo \"runner-process $$\"; exec sh -ec \"$1\"", "sh", command.script},
      command, stop);
  std::string process;
  const OnLine take = [&](std::string_view text) {
    if (process.empty() && text.starts_with(kProcess))
      process = text.substr(kProcess.size());
    else if (line)
      line(text);
  };
  FrameLines lines(take);
  const milliseconds limit = std::max(command.timeout, milliseconds(1));
  try {
    const executors::EngineAnswer answer = api.stream(
        {"POST", "/exec/" + id + "/start", R"({"Detach":false,"Tty":false})"}, {kConnect, limit, limit},
        [] {}, [&](std::string_view bytes) { lines.feed(bytes); }, stop);
    if (!answer.ok()) executors::throw_engine_error(answer, "run " + in_quotes(command.name));
  } catch (const Error& error) {
    lines.finish(false);
    if (error.code() != ErrorCode::timeout && error.code() != ErrorCode::cancelled) throw;
    kill_exec(api, container, process);
    if (error.code() == ErrorCode::cancelled) throw;
    return {CommandEnd::timeout, 0, false};
  }
  lines.finish(false);
  for (const auto deadline = Steady::now() + kConnect; Steady::now() < deadline;
       ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()))) {
    const Json seen = Json::parse(
        api.expect({"GET", "/exec/" + id + "/json"}, "ask how a command ended", stop), nullptr, false);
    if (seen.is_object() && !seen.value("Running", true) && seen.contains("ExitCode") &&
        seen["ExitCode"].is_number_integer())
      return {CommandEnd::exited, seen["ExitCode"].get<int>(), false};
  }
  return {CommandEnd::unknown, 0, false};
}

CommandResult follow_command(ComposeEngine& engine, const std::string& container,
                             const TargetCommand& command, const OnLine& line, const std::stop_token& stop) {
  const auto deadline = Steady::now() + std::max(command.timeout, milliseconds(1));
  const executors::EngineApi api = engine.api(stop);
  FrameLines lines(line);
  try {
    const executors::EngineAnswer answer = api.stream(
        {"GET", path_of(container) + "/logs?follow=1&stdout=1&stderr=1"},
        {kConnect, until(deadline), until(deadline)}, [] {},
        [&](std::string_view bytes) { lines.feed(bytes); }, stop);
    if (!answer.ok()) executors::throw_engine_error(answer, "read the output of " + in_quotes(command.name));
  } catch (const Error& error) {
    lines.finish(false);
    if (error.code() == ErrorCode::cancelled && !command.survives) engine.kill(container, {});
    if (error.code() != ErrorCode::timeout) throw;
    engine.kill(container, {});
    return {CommandEnd::timeout, 0, false};
  }
  lines.finish(false);
  while (Steady::now() < deadline) {
    const Json state = state_of(engine, container);
    if (!state.is_object()) return {CommandEnd::unknown, 0, false};
    if (!state.value("Running", true) && state.value("Status", "") != "stopping")
      return {CommandEnd::exited, state.value("ExitCode", -1), false};
    if (stop.stop_requested() && !command.survives) break;
    ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()));
  }
  engine.kill(container, {});
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
  return {CommandEnd::timeout, 0, false};
}

}  // namespace runner::deployments
