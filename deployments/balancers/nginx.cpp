#include "deployments/balancers/nginx.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "deployments/pause.h"
#include "deployments/program.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBetweenLooks{50};
constexpr std::string_view kHeading =
    "# Servers of one upstream. Written whole by each deployment: changes by hand are lost.\n";

bool is_address(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".:-_[]/").find(c) != std::string_view::npos;
  });
}

/// "server ADDRESS weight=N; # ready N": nginx reads the one half, we the other.
std::string line_of(const std::string& address, const ServerState& state) {
  const bool gets = state.admission == Admission::ready && state.weight > 0;
  return "server " + address + (gets ? " weight=" + std::to_string(state.weight) : " down") + ";  # " +
         std::string(to_string(state.admission)) + " " + std::to_string(state.weight) + "\n";
}

std::string content_of(const std::map<Place, std::string>& addresses,
                       const std::map<Place, ServerState>& states) {
  std::string text(kHeading);
  for (const auto& [place, address] : addresses) text += line_of(address, states.at(place));
  return text;
}

/// The file as it was; "" = it was not there.
class Restore {
 public:
  Restore(fs::path file, std::optional<std::string> content)
      : file_(std::move(file)), content_(std::move(content)) {}
  ~Restore() {
    if (done_) return;
    try {
      if (content_) {
        write_file_atomic(file_, *content_, 0644, true);
      } else {
        fs::remove(file_);
      }
    } catch (const std::exception&) {  // the failure that made this necessary is told
    }
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  void not_needed() noexcept { done_ = true; }

 private:
  fs::path file_;
  std::optional<std::string> content_;
  bool done_ = false;
};

}  // namespace

NginxBalancer::NginxBalancer(NginxOptions options) : options_(std::move(options)) {
  if (!options_.file.is_absolute())
    throw Error(ErrorCode::invalid_input, "the file of nginx's servers is an absolute path, not " +
                                              in_quotes(to_utf8(options_.file.native())));
  if (options_.test.empty() || options_.reload.empty())
    throw Error(ErrorCode::invalid_input, "nginx needs the commands 'test' and 'reload'");
  std::set<std::string> seen;
  for (const auto& [place, address] : options_.addresses) {
    if (!is_address(address))
      throw Error(ErrorCode::invalid_input,
                  "a server of nginx is HOST:PORT or unix:PATH, not " + in_quotes(to_utf8(address)));
    if (!seen.insert(address).second)
      throw Error(ErrorCode::invalid_input, "two servers of nginx have the address " + in_quotes(address));
  }
}

fs::path NginxBalancer::pending() const {
  return options_.file.native() + ".pending";
}

const std::string& NginxBalancer::address_of(const Place& place) const {
  const auto found = options_.addresses.find(place);
  if (found != options_.addresses.end()) return found->second;
  throw Error(ErrorCode::not_found, "nginx has no server for the slot " + in_quotes(to_string(place.slot)) +
                                        " of " + in_quotes(place.unit) + "; give it an address");
}

std::map<Place, ServerState> NginxBalancer::read() const {
  std::map<std::string, ServerState, std::less<>> known;
  const std::string text = read_file(options_.file, 1U << 20U).value_or("");
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty() || line.front() == '#') continue;
    const auto words = split_words(line);
    // server ADDRESS down; # out 100
    const auto admission = words.size() == 6 ? parse_admission(words[4]) : std::nullopt;
    const auto weight = words.size() == 6 ? parse_integer(words[5]) : std::nullopt;
    if (!admission || !weight || *weight < 0 || *weight > 100 || words[0] != "server" || words[3] != "#")
      throw Error(ErrorCode::corrupt, "somebody else has written " + in_quotes(options_.file.native()) +
                                          ": " + in_quotes(to_utf8(line)) +
                                          "; remove that line, or the file");
    known[std::string(words[1])] = {*admission, static_cast<unsigned>(*weight)};
  }
  std::map<Place, ServerState> states;
  for (const auto& [place, address] : options_.addresses) {
    const auto found = known.find(address);
    states[place] = found == known.end() ? ServerState{Admission::out, 100} : found->second;
  }
  return states;
}

std::map<Place, ServerState> NginxBalancer::observe(const std::vector<Place>& places,
                                                    std::stop_token /*stop*/) {
  const auto all = read();
  std::map<Place, ServerState> states;
  for (const Place& place : places) {
    address_of(place);
    states[place] = all.at(place);
  }
  return states;
}

void NginxBalancer::run(const std::vector<std::string>& argv, const std::stop_token& stop) const {
  std::deque<std::string> said;
  ProgramRequest program;
  program.argv = argv;
  program.timeout = options_.timeout;
  program.on_output = program.on_errors = [&](std::string_view line) {
    said.push_back(to_utf8(line.substr(0, 400)));
    if (said.size() > 10) said.pop_front();
  };
  const ProgramEnd end = run_program(program, stop);
  if (end.code == 0 && !end.timed_out) return;
  std::string text;
  for (const std::string& line : said) text += (text.empty() ? "" : "; ") + line;
  throw Error(end.timed_out ? ErrorCode::timeout : ErrorCode::conflict,
              "'" + join(argv, " ") + "' " +
                  (end.timed_out ? "does not end" : "fails with status " + std::to_string(end.code)) +
                  (text.empty() ? "" : ": " + text) + "; the servers in " +
                  in_quotes(options_.file.native()) + " are as they were");
}

void NginxBalancer::set(const std::map<Place, ServerState>& states, std::stop_token stop) {
  auto all = read();
  for (const auto& [place, state] : states) {
    address_of(place);
    if (state.weight > 100)
      throw Error(ErrorCode::invalid_input, "a weight is at most 100 %, not " + std::to_string(state.weight));
    all[place] = state;
  }
  const std::optional<std::string> before = read_file(options_.file, 1U << 20U);
  const std::string after = content_of(options_.addresses, all);
  // One who died between the file and the reload left the mark.
  if (before == after && !fs::exists(pending())) return;
  write_file_atomic(pending(), "", 0644, true);
  Restore restore(options_.file, before);
  write_file_atomic(options_.file, after, 0644, true);
  run(options_.test, stop);
  run(options_.reload, stop);
  restore.not_needed();
  fs::remove(pending());
}

bool NginxBalancer::has_old_workers() const {
  const std::string text = read_file(options_.pid_file, 64).value_or("");
  const auto master = parse_integer(trim(text));
  if (!master || *master <= 0)
    throw Error(ErrorCode::not_found, "there is no process in " + in_quotes(options_.pid_file.native()) +
                                          "; see that nginx runs, and what its 'pid' says");
  const std::string pid = std::to_string(*master);
  const auto children = read_file("/proc/" + pid + "/task/" + pid + "/children", 1U << 20U);
  if (!children) throw Error(ErrorCode::unavailable, "nginx does not run: there is no process " + pid);
  for (const std::string_view child : split_words(*children)) {
    const std::string line = read_file("/proc/" + std::string(child) + "/cmdline", 4096).value_or("");
    if (line.find("worker process is shutting down") != std::string::npos) return true;
  }
  return false;
}

bool NginxBalancer::wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                                 std::stop_token stop) {
  for (const Place& place : places) address_of(place);
  if (options_.pid_file.empty()) {
    pause_for(std::min(options_.settle, patience), stop);
    return options_.settle <= patience;
  }
  const auto until = Steady::now() + patience;
  while (has_old_workers()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    if (left.count() <= 0) return false;
    pause_for(std::min(left, kBetweenLooks), stop);
  }
  return true;
}

std::map<Place, ServerCounters> NginxBalancer::counters(const std::vector<Place>& /*places*/,
                                                        std::stop_token /*stop*/) {
  throw Error(ErrorCode::conflict,
              "nginx does not count what its servers answer; use HAProxy, or checks that ask "
              "Prometheus");
}

}  // namespace runner::deployments
