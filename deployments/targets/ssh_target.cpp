#include "deployments/targets/ssh_target.h"

#include <algorithm>

#include "deployments/targets/release_upload.h"
#include "deployments/targets/ssh_client.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
// What the script and the connection take besides what they wait for.
constexpr milliseconds kMargin{30'000};

std::string number(std::string_view variable, std::int64_t value) {
  return assignment(variable, std::to_string(value));
}

std::int64_t whole_seconds(milliseconds time) {
  return std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(time).count(), 0);
}

/// The commands of the slot, as the script calls them.
std::string commands_of(const SshOptions& options, Slot slot) {
  if (options.service.empty())
    return assignment("start_command", options.start) + assignment("stop_command", options.stop) +
           assignment("status_command", options.status);
  const std::string unit = shell_quote(replace_all(options.service, "%slot", to_string(slot)));
  return assignment("start_command", "systemctl start " + unit) +
         assignment("stop_command", "if [ \"$RUNNER_FORCE\" = 1 ]; then systemctl kill -s KILL " + unit +
                                        "; fi; systemctl stop --no-block " + unit) +
         assignment("status_command", "systemctl is-active --quiet " + unit + " || systemctl is-active " +
                                          unit + " | grep -q deactivating");
}

/// One row of a `case` by slot, for the functions of `observe`.
std::string status_row(const SshOptions& options, Slot slot) {
  const std::string text = options.service.empty()
                               ? options.status
                               : "systemctl is-active --quiet " +
                                     shell_quote(replace_all(options.service, "%slot", to_string(slot)));
  return std::string(to_string(slot)) + ") printf %s " + shell_quote(text) + " ;;\n";
}

void check_text(std::string_view what, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::invalid_input, std::string(what) + " may hold no zero byte");
}

std::string environment_of(const std::map<std::string, std::string>& variables) {
  std::string text;
  for (const auto& [name, value] : variables) {
    const bool good =
        !name.empty() && (name[0] < '0' || name[0] > '9') &&
        std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        });
    if (!good) throw Error(ErrorCode::invalid_input, "no variable can be named " + in_quotes(to_utf8(name)));
    check_text("the variable " + in_quotes(name), value);
    text += "export " + name + "=" + shell_quote(value) + "\n";
  }
  return text;
}

}  // namespace

SshTarget::SshTarget(SshOptions options) : options_(std::move(options)) {
  check_ssh_options(options_);
  for (const SshHost& host : options_.hosts) {
    const SshAddress address = parse_ssh_address(host.address);
    units_.push_back(address.unit);
    names_.push_back(address.name);
  }
  fences_.resize(units_.size());
  client_ = std::make_unique<SshClient>(options_);
}

SshTarget::~SshTarget() {
  for (const std::string& unit : units_) leave(unit);
}

bool SshTarget::has_slots() const {
  const auto has_two = [](const std::map<Slot, std::uint16_t>& ports) {
    return ports.find(Slot::blue) != ports.end() && ports.find(Slot::green) != ports.end();
  };
  return std::all_of(options_.hosts.begin(), options_.hosts.end(), [&](const SshHost& host) {
    return has_two(host.ports.empty() ? options_.ports : host.ports);
  });
}

std::size_t SshTarget::index_of(const std::string& unit) const {
  const auto found = std::find(units_.begin(), units_.end(), unit);
  if (found == units_.end())
    throw Error(ErrorCode::not_found,
                "there is no host " + in_quotes(unit) + "; there are " + join(units_, ", "));
  return static_cast<std::size_t>(found - units_.begin());
}

std::uint16_t SshTarget::port_of(std::size_t host, Slot slot) const {
  const auto& ports = options_.hosts[host].ports.empty() ? options_.ports : options_.hosts[host].ports;
  const auto found = ports.find(slot);
  return found == ports.end() ? std::uint16_t{0} : found->second;
}

Endpoint SshTarget::endpoint(const std::string& unit, Slot slot) const {
  const std::size_t host = index_of(unit);
  return {names_[host], port_of(host, slot)};
}

std::string SshTarget::common(std::size_t host, const Fence& fence) const {
  const std::string& own = options_.hosts[host].root;
  return assignment("root", own.empty() ? options_.root : own) +
         number("patience", options_.lock.count() / 100) + assignment("token", std::to_string(fence.token)) +
         assignment("deployment", fence.token == 0 ? "" : as_word(fence.deployment)) +
         assignment("environment", as_word(fence.environment));
}

std::string SshTarget::maybe_claimed(std::size_t host) const {
  const std::lock_guard lock(mutex_);
  return common(host, fences_[host]);
}

std::string SshTarget::claimed(std::size_t host) const {
  const std::lock_guard lock(mutex_);
  if (fences_[host].token == 0)
    throw Error(ErrorCode::conflict,
                "host " + in_quotes(units_[host]) + " was not claimed for this deployment");
  return common(host, fences_[host]);
}

std::string SshTarget::for_slot(std::size_t host, Slot slot) const {
  return assignment("slot", to_string(slot)) + number("port", port_of(host, slot)) +
         commands_of(options_, slot) + number("grace", 10);
}

SshAnswer SshTarget::call(std::size_t host, const SshCall& call, const std::stop_token& stop) const {
  SshAnswer answer = client_->call(host, call, stop);
  if (answer.timed_out)
    throw Error(ErrorCode::timeout, "host " + in_quotes(units_[host]) + " did not finish '" + call.verb +
                                        "' in " + format_duration(call.timeout) +
                                        "; whether it was done is unknown, and it may be done again");
  return answer;
}

std::uint64_t SshTarget::seen_token(const std::string& unit, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  const SshAnswer answer =
      call(host, {"seen_token", common(host, {}), {}, {}, options_.connect + kMargin}, stop);
  for (const auto& words : answer.facts)
    if (words[0] == "token" && words.size() == 2)
      return static_cast<std::uint64_t>(parse_integer(words[1]).value_or(0));
  return 0;
}

void SshTarget::claim(const std::string& unit, const Fence& fence, milliseconds patience,
                      std::stop_token stop) {
  const std::size_t host = index_of(unit);
  if (fence.token == 0 || fence.token > static_cast<std::uint64_t>(INT64_MAX) || fence.deployment.empty())
    throw Error(ErrorCode::invalid_input, "a fence needs a token from 1 on, and the deployment it is of");
  // The script counts its naps; each takes a little longer than it says.
  const std::string request = common(host, fence) + number("patience", patience.count() / 100);
  call(host, {"claim", request, {}, {}, options_.connect + 2 * patience + kMargin}, stop);
  const std::lock_guard lock(mutex_);
  fences_[host] = fence;
}

void SshTarget::prepare(const std::string& unit, const Release& release, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  const std::string fence = claimed(host);
  ReleaseUpload upload(release);
  SshCall prepares{"prepare", fence + upload.request(), {}, {}, options_.upload};
  prepares.data = [&](std::string& piece) { return upload.next(piece); };
  call(host, prepares, stop);
}

bool SshTarget::is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  check_release_id(release);
  const SshAnswer answer = call(
      host, {"is_prepared", maybe_claimed(host) + assignment("id", release), {}, {}, options_.verb}, stop);
  for (const auto& words : answer.facts)
    if (words[0] == "prepared") return words.size() == 2 && words[1] == "yes";
  return false;
}

UnitState SshTarget::observe(const std::string& unit, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  const std::vector<Slot> slots = has_slots() ? std::vector<Slot>{Slot::single, Slot::blue, Slot::green}
                                              : std::vector<Slot>{Slot::single};
  std::string names, ports = "port_of() {\ncase $1 in\n", statuses = "status_of() {\ncase $1 in\n";
  for (const Slot slot : slots) {
    names += std::string(to_string(slot)) + " ";
    ports += std::string(to_string(slot)) + ") echo " + std::to_string(port_of(host, slot)) + " ;;\n";
    statuses += status_row(options_, slot);
  }
  const std::string request =
      maybe_claimed(host) + assignment("slots", names) + ports + "esac\n}\n" + statuses + "esac\n}\n";
  const SshAnswer answer = call(host, {"observe", request, {}, {}, options_.verb}, stop);
  UnitState state;
  for (const auto& words : answer.facts) {
    const auto slot = words[0] == "slot" && words.size() == 4 ? parse_slot(words[1]) : std::nullopt;
    if (slot) state[*slot] = {words[2] == "-" ? "" : words[2], words[3] == "yes"};
  }
  return state;
}

void SshTarget::place(const std::string& unit, Slot slot, const std::string& release, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  if (!release.empty()) check_release_id(release);
  call(host,
       {"place", claimed(host) + for_slot(host, slot) + assignment("id", release), {}, {}, options_.verb},
       stop);
}

void SshTarget::start(const std::string& unit, Slot slot, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  call(host, {"start", claimed(host) + for_slot(host, slot), {}, {}, options_.verb}, stop);
}

void SshTarget::halt(const std::string& unit, Slot slot, milliseconds grace, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  const std::string request = claimed(host) + for_slot(host, slot) + number("grace", whole_seconds(grace));
  call(host, {"halt", request, {}, {}, options_.verb + 2 * grace}, stop);
}

CommandResult SshTarget::run(const std::string& unit, Slot slot, const TargetCommand& command,
                             const TellLine& tell, std::stop_token stop) {
  const std::size_t host = index_of(unit);
  check_text("the script of " + in_quotes(command.name), command.script);
  if (!command.release.empty()) check_release_id(command.release);
  const std::string request = claimed(host) + for_slot(host, slot) + assignment("wanted", command.release) +
                              assignment("name", as_word(command.name)) +
                              assignment("script", command.script + "\n") +
                              number("limit", std::max<std::int64_t>(whole_seconds(command.timeout), 1)) +
                              assignment("command_environment", environment_of(command.env));
  SshCall runs{command.survives ? "survive" : "run", request, {}, {}, command.timeout + kMargin};
  if (tell) runs.on_output = [&](std::string_view line) { tell(unit, line); };
  const SshAnswer answer = client_->call(host, runs, stop);
  CommandResult result;
  result.end = answer.timed_out ? CommandEnd::timeout : CommandEnd::unknown;
  for (const auto& words : answer.facts) {
    if (words[0] == "found") result.found_again = true;
    if (words[0] == "timeout") result.end = CommandEnd::timeout;
    const auto code = words[0] == "exit" && words.size() == 2 ? parse_integer(words[1]) : std::nullopt;
    if (!code || result.end == CommandEnd::timeout) continue;
    result.end = CommandEnd::exited;
    result.exit_code = static_cast<int>(*code);
  }
  return result;
}

void SshTarget::clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
                      std::stop_token stop) {
  const std::size_t host = index_of(unit);
  for (const std::string& id : named) check_release_id(id);
  const std::string request =
      claimed(host) + number("keep", static_cast<std::int64_t>(std::min<std::size_t>(keep, 1'000'000))) +
      assignment("named", join(named, " "));
  call(host, {"clean", request, {}, {}, options_.verb}, stop);
}

void SshTarget::leave(const std::string& unit) noexcept {
  const auto found = std::find(units_.begin(), units_.end(), unit);
  if (found == units_.end()) return;
  const auto host = static_cast<std::size_t>(found - units_.begin());
  {
    const std::lock_guard lock(mutex_);
    fences_[host] = {};
  }
  client_->disconnect(host);
}

}  // namespace runner::deployments
