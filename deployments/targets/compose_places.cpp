#include "deployments/targets/compose_places.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.front() != '0' && text.find_first_not_of("0123456789") == std::string::npos;
}

std::string name_of(Slot slot) {
  return std::string(to_string(slot));
}

}  // namespace

ComposePlaces::ComposePlaces(const ComposeOptions& options)
    : service_(options.service), project_(options.project) {
  const auto port_of = [&](Slot slot) {
    const auto found = options.ports.find(slot);
    return found == options.ports.end() ? std::uint16_t{0} : found->second;
  };
  for (const std::uint16_t port : options.replicas) {
    const std::string place = std::to_string(units_.size() + 1);
    units_.push_back(service_ + "-" + place);
    ports_[place] = port;
  }
  if (!units_.empty()) return;
  units_ = {service_};
  if (port_of(Slot::blue) == 0 || port_of(Slot::green) == 0) {
    ports_[name_of(Slot::single)] = port_of(Slot::single);
    return;
  }
  slots_ = {Slot::single, Slot::blue, Slot::green};
  for (const Slot slot : {Slot::blue, Slot::green}) ports_[name_of(slot)] = port_of(slot);
}

std::string ComposePlaces::at(const std::string& unit, Slot slot) const {
  if (unit == service_) return name_of(slot);
  std::string replica = unit.starts_with(service_ + "-") ? unit.substr(service_.size() + 1) : "";
  if (is_number(replica) && slot == Slot::single) return replica;
  throw Error(ErrorCode::not_found,
              "there is no service " + in_quotes(unit) + "; there is " + join(units_, ", "));
}

std::vector<std::string> ComposePlaces::of(const std::string& unit) const {
  if (std::find(units_.begin(), units_.end(), unit) == units_.end()) {
    at(unit, Slot::single);
    throw Error(ErrorCode::not_found, "there is no service " + in_quotes(unit) + " any more");
  }
  if (!has_slots()) return {at(unit, Slot::single)};
  return {at(unit, Slot::blue), at(unit, Slot::green)};
}

std::pair<std::string, Slot> ComposePlaces::unit_of(const std::string& place) const {
  if (const auto slot = parse_slot(place)) return {service_, *slot};
  return {service_ + "-" + place, Slot::single};
}

std::uint16_t ComposePlaces::port(const std::string& place) const {
  const auto found = ports_.find(place);
  return found == ports_.end() ? std::uint16_t{0} : found->second;
}

std::string ComposePlaces::project(const std::string& place) const {
  return place == to_string(Slot::single) ? project_ : project_ + "-" + place;
}

}  // namespace runner::deployments
