#include "deployments/target.h"

#include <array>
#include <utility>

#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr std::array<std::pair<Slot, std::string_view>, 3> kSlots{
    {{Slot::single, "single"}, {Slot::blue, "blue"}, {Slot::green, "green"}}};

}  // namespace

std::string_view to_string(Slot slot) noexcept {
  for (const auto& [value, text] : kSlots)
    if (value == slot) return text;
  return {};
}

std::optional<Slot> parse_slot(std::string_view text) noexcept {
  for (const auto& [value, name] : kSlots)
    if (name == text) return value;
  return std::nullopt;
}

StaleFence::StaleFence(const std::string& unit, std::uint64_t seen, const std::string& holder)
    : seen_(seen),
      message_(in_quotes(unit) + " has seen the token " + std::to_string(seen) + " of " +
               (holder.empty() ? std::string("another deployment") : "deployment " + holder) +
               ", so this one may not change it any more") {}

}  // namespace runner::deployments
