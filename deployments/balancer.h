#pragma once
// What sends traffic to the slots of a deployment's units: HAProxy by its runtime socket, nginx by a file and
// a reload. A server of a balancer is one slot of one unit.
//
// All of it blocks, and asks `stop` while it waits. One thread at a time. Every verb may be repeated.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "deployments/target.h"

namespace runner::deployments {

/// A slot of a unit.
struct Place {
  std::string unit;
  Slot slot = Slot::single;
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr): sees one in it
};

enum class Admission : std::uint8_t {
  ready,  // gets traffic
  drain,  // goes on with what it has, gets nothing new
  out,    // gets nothing; what it has may be cut
};
std::string_view to_string(Admission admission) noexcept;
std::optional<Admission> parse_admission(std::string_view text) noexcept;

struct ServerState {
  Admission admission = Admission::ready;
  unsigned weight = 100;  // percent of its full share, 0..100
  bool operator==(const ServerState&) const = default;
};

/// Since the balancer started; a difference of two is what happened between them.
struct ServerCounters {
  std::uint64_t requests = 0;
  std::uint64_t server_errors = 0;  // answers 5xx, and connections that failed
  std::uint64_t sessions = 0;       // at this moment
  double recent_seconds = 0;        // mean response time of the last requests; 0 = unknown
};

class Balancer {
 public:
  virtual ~Balancer() = default;
  /// Whether weights between 0 and 100 have an effect, and counters are known.
  virtual bool has_weights() const = 0;
  virtual bool has_counters() const = 0;

  /// State of each place asked for. Throws Error{not_found} that names the server the balancer lacks, and how
  /// to add it.
  virtual std::map<Place, ServerState> observe(const std::vector<Place>& places, std::stop_token stop) = 0;
  /// Changes all at once, as far as the balancer can: those that become ready first, then the others, so that
  /// there is never none. Throws Error; some may have changed then.
  virtual void set(const std::map<Place, ServerState>& states, std::stop_token stop) = 0;
  /// True once none of them has a session; false after `patience`.
  virtual bool wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                            std::stop_token stop) = 0;
  virtual std::map<Place, ServerCounters> counters(const std::vector<Place>& places,
                                                   std::stop_token stop) = 0;
};

}  // namespace runner::deployments
