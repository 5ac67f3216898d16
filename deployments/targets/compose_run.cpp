// Commands of a compose target: in the container of a slot, or in one of their own.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "deployments/targets/compose_command.h"
#include "deployments/targets/compose_file.h"
#include "deployments/targets/compose_target.h"
#include "deployments/targets/release_upload.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

/// Compose makes names of it.
std::string service_name(const std::string& service, const std::string& command) {
  std::string name = service + "-";
  for (const char c : command)
    name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '-';
  return name;
}

void check_text(std::string_view what, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::invalid_input, std::string(what) + " may hold no zero byte");
}

}  // namespace

std::string ComposeTarget::make_command(const Fence& fence, const std::string& unit, Slot slot,
                                        const TargetCommand& command, const std::stop_token& stop) const {
  // Where there are two places nothing is in the third, and its network is nobody's.
  const bool nowhere = has_slots() && slot == Slot::single;
  const std::string place = places_.at(unit, nowhere ? Slot::blue : slot);
  std::string release = command.release;
  if (release.empty()) {
    const auto held = state_.places(stop);
    if (const auto found = held.find(places_.at(unit, slot)); found != held.end()) release = found->second;
  }
  if (release.empty())
    throw Error(ErrorCode::not_found, "service " + in_quotes(unit) + " holds no release in which " +
                                          in_quotes(command.name) + " could run");
  const PreparedRelease kept = prepared(release, place, stop);
  const std::string project = places_.project(place);
  const std::string as = service_name(options_.service, command.name);
  for (const EngineContainer& one :
       engine_.containers({{label::kProject, project}, {label::kService, as}}, stop)) {
    if (label_of(one.labels, label::kUnit) != label_of(state_.unit_labels(), label::kUnit) || one.active)
      throw Error(ErrorCode::conflict, "the compose project " + in_quotes(project) + " has a service " +
                                           in_quotes(as) + " already, which is what the command " +
                                           in_quotes(command.name) + " would be; remove its container");
    engine_.remove(one.id, stop);
  }
  Labels labels = labels_for(fence, place, release);
  labels[label::kCommand] = command.name;
  labels[label::kSurvives] = command.survives ? "yes" : "no";
  std::map<std::string, std::string> environment = command.env;
  environment["RUNNER_RELEASE"] = release;
  environment["RUNNER_SLOT"] = to_string(slot);
  make(place, command_file(kept.config, options_.service, as, command.script, environment, labels),
       {"up", "--no-start", "--no-deps", "--no-build", as}, stop);
  state_.present(fence, stop);
  for (const EngineContainer& one : commands(stop))
    if (label_of(one.labels, label::kCommand) == command.name &&
        label_of(one.labels, label::kDeployment) == fence.deployment)
      return one.id;
  throw Error(ErrorCode::unavailable, "docker-compose has made no container for " + in_quotes(command.name));
}

CommandResult ComposeTarget::run(const std::string& unit, Slot slot, const TargetCommand& command,
                                 const TellLine& tell, std::stop_token stop) {
  const Fence fence = claimed(unit, stop);
  check_text("the script of " + in_quotes(command.name), command.script);
  for (const auto& [name, value] : command.env) check_text("the variable " + in_quotes(name), value);
  if (!command.release.empty()) check_release_id(command.release);
  OnLine line;
  if (tell) line = [&](std::string_view text) { tell(unit, text); };

  if (!command.survives && command.release.empty()) {
    for (const EngineContainer& one : containers_of(places_.at(unit, slot), stop)) {
      if (!one.active) continue;
      try {
        return exec_in(engine_, one.id, command, line, stop);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::conflict && error.code() != ErrorCode::not_found) throw;
        if (line) line(error.what());  // it ended just now
      }
    }
    if (line) line("no container of it runs");
    return {CommandEnd::exited, 1, false};
  }

  std::string container;
  bool made = true;
  for (const EngineContainer& one : commands(stop)) {
    if (label_of(one.labels, label::kCommand) != command.name ||
        label_of(one.labels, label::kDeployment) != fence.deployment)
      continue;
    container = one.id;
    made = engine_.was_never_started(one.id, stop);
  }
  if (container.empty()) {
    if (command.survives && state_.was_begun(fence, command.name, stop))
      return {CommandEnd::unknown, 0, true};
    container = make_command(fence, unit, slot, command, stop);
  }
  if (made) {
    // Before it: a container that is gone is then known to have run.
    if (command.survives) state_.begin_command(fence, command.name, stop);
    engine_.start(container, stop);
  }
  CommandResult result = follow_command(engine_, container, command, line, stop);
  result.found_again = !made;
  if (!command.survives) engine_.remove(container, {});
  return result;
}

}  // namespace runner::deployments
