#pragma once
// Where the containers of a service run, by name: "single"; "blue" and "green"; "1", "2" and so on, which are
// its replicas. Each is a compose project of its own. Pure; any thread. Internal to this folder.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deployments/target.h"
#include "deployments/targets/compose_options.h"

namespace runner::deployments {

class ComposePlaces {
 public:
  explicit ComposePlaces(const ComposeOptions& options);

  /// The service; or SERVICE-1, SERVICE-2 and so on.
  const std::vector<std::string>& units() const noexcept { return units_; }
  bool has_slots() const noexcept { return slots_.size() > 1; }
  /// The slots of a unit that are looked at.
  const std::vector<Slot>& slots() const noexcept { return slots_; }

  /// The place of a slot, also when it is not in use now. Throws Error{not_found} for another's unit.
  std::string at(const std::string& unit, Slot slot) const;
  /// Those in which releases of a unit run: one, or blue and green. Throws as at(), and for what is not in
  /// use.
  std::vector<std::string> of(const std::string& unit) const;
  bool is_used(const std::string& place) const { return ports_.count(place) > 0; }
  /// The other way round.
  std::pair<std::string, Slot> unit_of(const std::string& place) const;

  /// 0: it is not known.
  std::uint16_t port(const std::string& place) const;
  std::string project(const std::string& place) const;

 private:
  const std::string service_, project_;
  std::vector<std::string> units_;
  std::vector<Slot> slots_{Slot::single};
  std::map<std::string, std::uint16_t> ports_;  // of the places in use
};

}  // namespace runner::deployments
