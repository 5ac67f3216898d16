#include "deployments/balancer.h"

#include <array>
#include <utility>

namespace runner::deployments {
namespace {

constexpr std::array<std::pair<Admission, std::string_view>, 3> kAdmissions{
    {{Admission::ready, "ready"}, {Admission::drain, "drain"}, {Admission::out, "out"}}};

}  // namespace

std::string_view to_string(Admission admission) noexcept {
  for (const auto& [value, text] : kAdmissions)
    if (value == admission) return text;
  return {};
}

std::optional<Admission> parse_admission(std::string_view text) noexcept {
  for (const auto& [value, name] : kAdmissions)
    if (name == text) return value;
  return std::nullopt;
}

}  // namespace runner::deployments
