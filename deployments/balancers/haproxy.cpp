#include "deployments/balancers/haproxy.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "deployments/balancers/runtime_socket.h"
#include "deployments/pause.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBetweenLooks{50};

// Bits of srv_admin_state. Maintenance: by command, inherited, no address, another address; 0x04 only says
// that the configuration had begun so. Drain: by command, inherited.
constexpr std::uint64_t kMaintenance = 0x01U | 0x02U | 0x20U | 0x40U;
constexpr std::uint64_t kDrain = 0x08U | 0x10U;

/// What HAProxy allows in names; so none of them ends a command, or begins another.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

void check_name(std::string_view what, std::string_view text) {
  if (is_name(text)) return;
  throw Error(ErrorCode::invalid_input, "HAProxy can have no " + std::string(what) + " " +
                                            in_quotes(to_utf8(text)) +
                                            "; names are letters, digits and '-', '_', '.', ':'");
}

ServerState state_of(const HaproxyTable& table, const std::string& server) {
  ServerState state;
  const std::uint64_t bits = table.number(server, "srv_admin_state");
  if ((bits & kDrain) != 0) state.admission = Admission::drain;
  if ((bits & kMaintenance) != 0) state.admission = Admission::out;
  const std::uint64_t whole = table.number(server, "srv_iweight");
  const std::uint64_t now = table.number(server, "srv_uweight");
  // A server whose configured weight is 0 has no share to speak of.
  state.weight =
      whole == 0 ? 0U : static_cast<unsigned>(std::min<std::uint64_t>((now * 100 + whole / 2) / whole, 100));
  return state;
}

/// Of two balancers that differ.
ServerState that_sends_more(const ServerState& one, const ServerState& other) {
  return {std::min(one.admission, other.admission), std::max(one.weight, other.weight)};
}

std::string_view word_of(Admission admission) {
  switch (admission) {
    case Admission::ready:
      return "ready";
    case Admission::drain:
      return "drain";
    case Admission::out:
      break;
  }
  return "maint";
}

}  // namespace

HaproxyBalancer::HaproxyBalancer(HaproxyOptions options) : options_(std::move(options)) {
  if (options_.sockets.empty())
    throw Error(ErrorCode::invalid_input, "HAProxy needs a socket: its 'stats socket', with 'level admin'");
  for (const std::string& socket : options_.sockets)
    if (socket.find('/') == std::string::npos && socket.find(':') == std::string::npos)
      throw Error(ErrorCode::invalid_input,
                  "the socket of HAProxy is a path with a '/', or HOST:PORT, not " + in_quotes(socket));
  check_name("backend", options_.backend);
}

std::string HaproxyBalancer::server_of(const Place& place) const {
  const bool slots = place.slot != Slot::single;
  std::string pattern = options_.server;
  if (pattern.empty()) pattern = slots ? "%unit-%slot" : "%unit";
  if (slots && pattern.find("%slot") == std::string::npos)
    throw Error(ErrorCode::invalid_input,
                "the servers of two slots would have the same name: add '%slot' to " + in_quotes(pattern));
  std::string name = replace_all(replace_all(pattern, "%slot", to_string(place.slot)), "%unit", place.unit);
  check_name("server", name);
  return name;
}

std::string HaproxyBalancer::ask(const std::string& socket, const std::string& command,
                                 const std::stop_token& stop) const {
  std::string answer = ask_runtime_socket(socket, command, options_.timeout, stop);
  const std::string at = "HAProxy at " + in_quotes(socket);
  if (answer.find("Permission denied") == 0)
    throw Error(ErrorCode::conflict,
                at + " lets nobody change servers there; give its 'stats socket' the 'level admin'");
  if (answer.find("Can't find backend") == 0 || answer.find("No such proxy") == 0 ||
      answer.find("No such backend") == 0) {
    std::string known;
    const std::string all = ask_runtime_socket(socket, "show backend", options_.timeout, stop);
    for (const std::string_view line : split(all, '\n'))
      if (!line.empty() && line.front() != '#') known += (known.empty() ? "" : ", ") + std::string(line);
    throw Error(ErrorCode::not_found, at + " has no backend " + in_quotes(options_.backend) +
                                          (known.empty() ? "" : " (it has " + known + ")") +
                                          "; add it to its configuration and reload it, or mend 'backend:'");
  }
  return answer;
}

HaproxyTable HaproxyBalancer::ask_states(const std::string& socket, const std::stop_token& stop) const {
  return {ask(socket, "show servers state " + options_.backend, stop), ' ', "srv_name", "be_name",
          options_.backend};
}

HaproxyTable HaproxyBalancer::ask_counters(const std::string& socket, const std::stop_token& stop) const {
  ask_states(socket, stop);  // whether there is such a backend
  // 4: servers only; -1: all, of all backends. By a name HAProxy may take the frontend that is called the
  // same, and tell nothing.
  return {ask(socket, "show stat -1 4 -1", stop), ',', "svname", "pxname", options_.backend};
}

std::vector<std::string> HaproxyBalancer::servers_of(const std::vector<Place>& places,
                                                     const std::string& socket,
                                                     const HaproxyTable& table) const {
  std::vector<std::string> servers;
  for (const Place& place : places) {
    servers.push_back(server_of(place));
    if (table.has(servers.back())) continue;
    const std::vector<std::string> known = table.servers();
    throw Error(ErrorCode::not_found,
                "HAProxy at " + in_quotes(socket) + " has no server " + in_quotes(servers.back()) +
                    " in backend " + in_quotes(options_.backend) + " (it has " +
                    (known.empty() ? "none" : join(known, ", ")) + "); add 'server " + servers.back() +
                    " ADDRESS:PORT weight 100' there and reload it, or mend 'server:'");
  }
  return servers;
}

std::map<Place, ServerState> HaproxyBalancer::observe(const std::vector<Place>& places,
                                                      std::stop_token stop) {
  std::map<Place, ServerState> states;
  for (const std::string& socket : options_.sockets) {
    const HaproxyTable table = ask_states(socket, stop);
    const std::vector<std::string> servers = servers_of(places, socket, table);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const ServerState state = state_of(table, servers[i]);
      const auto [known, is_new] = states.emplace(places[i], state);
      if (!is_new) known->second = that_sends_more(known->second, state);
    }
  }
  return states;
}

void HaproxyBalancer::change(const std::string& socket, const std::string& server, const ServerState& state,
                             const std::stop_token& stop) const {
  const std::string begin = "set server " + options_.backend + "/" + server;
  for (const std::string& command : {begin + " weight " + std::to_string(state.weight) + "%",
                                     begin + " state " + std::string(word_of(state.admission))}) {
    const std::string answer(trim(ask(socket, command, stop)));
    if (answer.empty()) continue;
    throw Error(ErrorCode::conflict,
                "HAProxy at " + in_quotes(socket) + " refuses '" + command + "': " + to_utf8(answer));
  }
}

void HaproxyBalancer::set(const std::map<Place, ServerState>& states, std::stop_token stop) {
  std::vector<Place> places;
  for (const auto& [place, state] : states) {
    places.push_back(place);
    if (state.weight > 100)
      throw Error(ErrorCode::invalid_input, "a weight is at most 100 %, not " + std::to_string(state.weight));
  }
  for (const std::string& socket : options_.sockets) {
    const HaproxyTable table = ask_states(socket, stop);
    const std::vector<std::string> servers = servers_of(places, socket, table);
    // All is looked at before anything is changed.
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::uint64_t whole = table.number(servers[i], "srv_iweight");
      const unsigned weight = states.at(places[i]).weight;
      // HAProxy rounds down, which would make a small share none at all.
      if (weight == 0 || weight == 100 || whole * weight >= 100) continue;
      throw Error(ErrorCode::invalid_input,
                  "server " + in_quotes(servers[i]) + " of HAProxy at " + in_quotes(socket) + " has weight " +
                      std::to_string(whole) + ", of which " + std::to_string(weight) +
                      " % is less than one; add 'weight 100' to its line and reload HAProxy");
    }
    for (const bool ready : {true, false})
      for (std::size_t i = 0; i < places.size(); ++i) {
        const ServerState& state = states.at(places[i]);
        if ((state.admission == Admission::ready) == ready) change(socket, servers[i], state, stop);
      }
  }
}

std::map<Place, ServerCounters> HaproxyBalancer::counters(const std::vector<Place>& places,
                                                          std::stop_token stop) {
  std::map<Place, ServerCounters> sums;
  std::map<Place, std::uint64_t> timed;
  for (const std::string& socket : options_.sockets) {
    const HaproxyTable table = ask_counters(socket, stop);
    const std::vector<std::string> servers = servers_of(places, socket, table);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto value = [&](std::string_view column) { return table.number(servers[i], column); };
      ServerCounters& sum = sums[places[i]];
      const std::uint64_t requests = value("stot");
      sum.requests += requests;
      // A connection that failed gives no answer of the server, hence is not among its 5xx.
      sum.server_errors += value("hrsp_5xx") + value("econ") + value("eresp");
      sum.sessions += value("scur") + value("qcur");
      // Each balancer's mean counts as often as it had requests.
      const double seconds = static_cast<double>(value("rtime")) / 1000;
      std::uint64_t& weight = timed[places[i]];
      if (requests == 0) continue;
      sum.recent_seconds =
          (sum.recent_seconds * static_cast<double>(weight) + seconds * static_cast<double>(requests)) /
          static_cast<double>(weight + requests);
      weight += requests;
    }
  }
  return sums;
}

bool HaproxyBalancer::wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                                   std::stop_token stop) {
  const auto until = Steady::now() + patience;
  for (;;) {
    const auto now = counters(places, stop);
    if (std::all_of(now.begin(), now.end(), [](const auto& one) { return one.second.sessions == 0; }))
      return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    if (left.count() <= 0) return false;
    pause_for(std::min(left, kBetweenLooks), stop);
  }
}

}  // namespace runner::deployments
