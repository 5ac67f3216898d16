#include "deployments/targets/script.h"

#include <algorithm>
#include <deque>

#include "deployments/pause.h"
#include "deployments/program.h"
#include "deployments/targets/release_upload.h"
#include "deployments/targets/script_command.h"
#include "deployments/targets/script_state.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr int kAgain = 75;
constexpr milliseconds kLockPatience{30'000};

void check_unit(const std::string& unit) {
  if (unit != "script")
    throw Error(ErrorCode::not_found, "a script has the one unit 'script', not " + in_quotes(to_utf8(unit)));
}

}  // namespace

ScriptTarget::ScriptTarget(ScriptOptions options) : options_(std::move(options)), token_(options_.directory) {
  if (options_.activate.empty())
    throw Error(ErrorCode::invalid_input, "a target by script needs the command 'activate'");
  make_directories(options_.directory / "prepared", 0700);
  make_directories(options_.directory / "commands", 0700);
}

Fence ScriptTarget::fence() const {
  const std::lock_guard lock(mutex_);
  if (fence_.token == 0) throw Error(ErrorCode::conflict, "'script' was not claimed for this deployment");
  return fence_;
}

UniqueFd ScriptTarget::hold(const std::string& what, const std::stop_token& stop) const {
  return token_.hold("script", fence(), what, kLockPatience, stop);
}

std::uint64_t ScriptTarget::seen_token(const std::string& unit, std::stop_token /*stop*/) {
  check_unit(unit);
  return token_.seen();
}

void ScriptTarget::claim(const std::string& unit, const Fence& fence, milliseconds patience,
                         std::stop_token stop) {
  check_unit(unit);
  if (fence.token == 0 || fence.token > static_cast<std::uint64_t>(INT64_MAX) || fence.deployment.empty())
    throw Error(ErrorCode::invalid_input, "a fence needs a token from 1 on, and the deployment it is of");
  const UniqueFd lock = token_.hold(unit, fence, "claim", patience, stop);
  // Whoever had the lock before has ended, and so have its commands.
  for (const auto& entry : fs::directory_iterator(options_.directory / "commands"))
    if (entry.path().filename() != as_word(fence.deployment)) remove_tree(entry.path());
  const std::lock_guard guard(mutex_);
  fence_ = fence;
}

std::map<std::string, std::string> ScriptTarget::surroundings(const std::string& base,
                                                              const std::string& candidate,
                                                              unsigned weight) const {
  const Fence fence = this->fence();
  std::map<std::string, std::string> all = options_.environment;
  all.emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  all["RUNNER_FENCE"] = std::to_string(fence.token);
  all["RUNNER_DEPLOYMENT_ID"] = fence.deployment;
  all["RUNNER_ENVIRONMENT"] = fence.environment;
  all["RUNNER_BASE_RELEASE"] = base;
  all["RUNNER_CANDIDATE_RELEASE"] = candidate;
  all["RUNNER_BATCH"] = "1";
  all["RUNNER_WEIGHT"] = std::to_string(weight);
  return all;
}

void ScriptTarget::step(const std::string& name, const std::string& command,
                        const std::map<std::string, std::string>& environment, const UniqueFd& lock,
                        const std::stop_token& stop) const {
  if (command.empty()) return;
  const auto until = Steady::now() + options_.timeout;
  for (;;) {
    std::deque<std::string> said;
    const auto keep = [&](std::string_view line) {
      if (options_.tell) options_.tell("script", line);
      said.push_back(to_utf8(line.substr(0, 400)));
      if (said.size() > 5) said.pop_front();
    };
    const auto left = std::chrono::ceil<milliseconds>(until - Steady::now());
    const ProgramEnd end = run_script_command(
        {command, environment, options_.directory, std::max(left, milliseconds(1)), lock.get()}, keep, stop);
    if (end.code == 0 && !end.timed_out) return;
    std::string text;
    for (const std::string& line : said) text += "; " + line;
    const bool late = end.timed_out || Steady::now() + options_.between_tries >= until;
    if (end.code == kAgain && !late) {
      pause_for(options_.between_tries, stop);
      continue;
    }
    if (late && (end.timed_out || end.code == kAgain))
      throw Error(ErrorCode::timeout,
                  "the command '" + name + "' was not done in " + format_duration(options_.timeout) + text);
    throw Error(ErrorCode::unavailable,
                "the command '" + name + "' ended with " + std::to_string(end.code) + text);
  }
}

void ScriptTarget::prepare(const std::string& unit, const Release& release, std::stop_token stop) {
  check_unit(unit);
  check_release_id(release.id);
  const UniqueFd lock = hold("prepare", stop);
  auto environment = surroundings("", release.id, 0);
  environment["RUNNER_IMAGE"] = release.image;
  environment["RUNNER_ARTIFACT"] = release.artifact ? release.artifact->local.native() : "";
  step("prepare", options_.prepare, environment, lock, stop);
  write_file_atomic(options_.directory / "prepared" / release.id, "", 0600, true);
}

bool ScriptTarget::is_prepared(const std::string& unit, const std::string& release,
                               std::stop_token /*stop*/) {
  check_unit(unit);
  check_release_id(release);
  return fs::exists(options_.directory / "prepared" / release);
}

UnitState ScriptTarget::observe(const std::string& unit, std::stop_token /*stop*/) {
  check_unit(unit);
  UnitState state{{Slot::single, {}}, {Slot::blue, {}}, {Slot::green, {}}};
  for (const auto& [slot, held] : read_script_state(state_file()).slots)
    state[slot] = {held.release, !held.release.empty() && held.running == held.release};
  return state;
}

void ScriptTarget::place(const std::string& unit, Slot slot, const std::string& release,
                         std::stop_token stop) {
  check_unit(unit);
  if (!release.empty() && !is_prepared(unit, release, stop))
    throw Error(ErrorCode::not_found, "the release " + release + " is not there; prepare it");
  const UniqueFd lock = hold("place", stop);
  ScriptState state = read_script_state(state_file());
  state.slots[slot].release = release;
  if (slot != Slot::single && state.candidate != slot) {
    state.candidate = slot;
    state.share = 0;
  }
  write_script_state(state_file(), state);
}

void ScriptTarget::start(const std::string& unit, Slot slot, std::stop_token stop) {
  check_unit(unit);
  const UniqueFd lock = hold("start", stop);
  ScriptState state = read_script_state(state_file());
  ScriptState::Held& held = state.slots[slot];
  if (held.release.empty())
    throw Error(ErrorCode::not_found,
                "the slot " + in_quotes(to_string(slot)) + " holds no release; place one");
  if (held.running == held.release && (slot != Slot::single || state.begun.empty())) return;
  if (slot == Slot::single) {
    const std::uint64_t token = fence().token;
    const bool undone = !state.begun.empty() && held.running == held.release;
    const bool back =
        undone || (!held.running.empty() && held.release == state.base && state.base_token == token);
    const std::string base = back ? held.release : held.running;
    const std::string candidate = undone ? state.begun : back ? held.running : held.release;
    const auto environment = surroundings(base, candidate, back ? 0 : 100);
    if (back && !options_.rollback.empty()) {
      step("rollback", options_.rollback, environment, lock, stop);
    } else {
      state.begun = held.release;
      write_script_state(state_file(), state);
      step("activate", options_.activate, surroundings(undone ? candidate : held.running, held.release, 100),
           lock, stop);
    }
    step("verify", options_.verify, environment, lock, stop);
    state.begun.clear();
    if (!undone) {
      state.base = held.running;
      state.base_token = token;
    }
  }
  held.running = held.release;
  write_script_state(state_file(), state);
}

void ScriptTarget::halt(const std::string& unit, Slot slot, milliseconds /*grace*/, std::stop_token stop) {
  check_unit(unit);
  const UniqueFd lock = hold("halt", stop);
  // What `single` runs is replaced by the next `activate`; nobody has told us how to end it.
  if (slot == Slot::single) return;
  ScriptState state = read_script_state(state_file());
  state.slots[slot].running.clear();
  write_script_state(state_file(), state);
}

Endpoint ScriptTarget::endpoint(const std::string& unit, Slot /*slot*/) const {
  check_unit(unit);
  return {};
}

void ScriptTarget::clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
                         std::stop_token stop) {
  check_unit(unit);
  const UniqueFd lock = hold("clean", stop);
  std::vector<std::string> kept = named;
  const ScriptState state = read_script_state(state_file());
  for (const auto& [slot, held] : state.slots) kept.insert(kept.end(), {held.release, held.running});
  kept.push_back(state.base);
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(options_.directory / "prepared"))
    if (std::find(kept.begin(), kept.end(), entry.path().filename()) == kept.end())
      others.push_back(entry.path());
  std::sort(others.begin(), others.end(), [](const fs::path& one, const fs::path& other) {
    return fs::last_write_time(one) > fs::last_write_time(other);
  });
  for (std::size_t i = keep; i < others.size(); ++i) fs::remove(others[i]);
}

void ScriptTarget::leave(const std::string& /*unit*/) noexcept {
  const std::lock_guard lock(mutex_);
  fence_ = {};
}

CommandResult ScriptTarget::run(const std::string& unit, Slot slot, const TargetCommand& command,
                                const TellLine& tell, std::stop_token stop) {
  check_unit(unit);
  const Fence fence = this->fence();
  const UniqueFd lock = hold(command.name, stop);
  const ScriptState state = read_script_state(state_file());
  const auto held = state.slots.find(slot);
  auto environment =
      surroundings(state.base, held == state.slots.end() ? "" : held->second.release, state.share);
  environment["RUNNER_SLOT"] = to_string(slot);
  for (const auto& [name, value] : command.env) environment[name] = value;
  const fs::path kept = options_.directory / "commands" / as_word(fence.deployment) / as_word(command.name);
  if (command.survives) {
    if (const auto code = read_file(kept / "exit", 64)) {
      const std::string output = read_file(kept / "output").value_or("");
      for (const std::string_view line : split(output, '\n'))
        if (tell && line.data() != output.data() + output.size()) tell(unit, line);
      return {CommandEnd::exited, static_cast<int>(parse_integer(trim(*code)).value_or(0)), true};
    }
    // We have its lock, so it does not live.
    if (fs::exists(kept / "begun")) return {CommandEnd::unknown, 0, true};
    make_directories(kept, 0700);
    write_file_atomic(kept / "begun", "", 0600, true);
  }
  std::string output;
  const ProgramEnd end = run_script_command(
      {command.script, environment, options_.directory, command.timeout, lock.get()},
      [&](std::string_view line) {
        if (tell) tell(unit, line);
        if (command.survives) output += std::string(line) + "\n";
      },
      stop);
  if (end.timed_out) return {CommandEnd::timeout, 0, false};
  if (command.survives) {
    write_file_atomic(kept / "output", output, 0600, true);
    write_file_atomic(kept / "exit", std::to_string(end.code) + "\n", 0600, true);
  }
  return {CommandEnd::exited, end.code, false};
}

}  // namespace runner::deployments
