#pragma once
// HAProxy, by the commands of its runtime API on the stats socket (management guide of HAProxy 2.6, section
// 9.3), which must have `level admin`. A change there cuts no connection; a reload of HAProxy forgets it, and
// the configuration file says what is true again (`server-state-file` keeps it).

#include <chrono>
#include <string>
#include <vector>

#include "deployments/balancer.h"
#include "deployments/balancers/haproxy_table.h"

namespace runner::deployments {

struct HaproxyOptions {
  /// The path of a socket, or HOST:PORT. Several stand in a row for the same servers: all are changed, their
  /// counters are added up.
  std::vector<std::string> sockets;
  std::string backend;
  /// The name of a place's server. %unit and %slot stand for the place; "": %unit when units have no slots,
  /// else %unit-%slot.
  std::string server;
  std::chrono::milliseconds timeout{5000};  // for one command
};

class HaproxyBalancer final : public Balancer {
 public:
  /// Throws Error{invalid_input} for names that HAProxy cannot have. Reaches nothing.
  explicit HaproxyBalancer(HaproxyOptions options);

  bool has_weights() const override { return true; }
  bool has_counters() const override { return true; }
  /// Where several balancers differ, the one that sends more counts. Also throws Error{unavailable}: cannot
  /// be reached, ended in the middle of its answer; {timeout}; {conflict}: the socket may not change things.
  std::map<Place, ServerState> observe(const std::vector<Place>& places, std::stop_token stop) override;
  /// The weight goes before `ready`, so that nobody gets a full share for a moment.
  void set(const std::map<Place, ServerState>& states, std::stop_token stop) override;
  bool wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                    std::stop_token stop) override;
  std::map<Place, ServerCounters> counters(const std::vector<Place>& places, std::stop_token stop) override;

  /// The name of its server. Throws Error{invalid_input} when HAProxy can have none of that name.
  std::string server_of(const Place& place) const;

 private:
  std::string ask(const std::string& socket, const std::string& command, const std::stop_token& stop) const;
  HaproxyTable ask_states(const std::string& socket, const std::stop_token& stop) const;
  HaproxyTable ask_counters(const std::string& socket, const std::stop_token& stop) const;
  /// Throws Error{not_found} when the table lacks one of them. Their servers, in the same order.
  std::vector<std::string> servers_of(const std::vector<Place>& places, const std::string& socket,
                                      const HaproxyTable& table) const;
  void change(const std::string& socket, const std::string& server, const ServerState& state,
              const std::stop_token& stop) const;

  HaproxyOptions options_;
};

}  // namespace runner::deployments
