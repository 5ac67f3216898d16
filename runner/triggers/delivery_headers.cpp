#include "runner/triggers/delivery_headers.h"

#include <utility>

#include "runner/base/text.h"

namespace runner::triggers {
namespace {

bool same_name(std::string_view name, std::string_view lower) noexcept {
  if (name.size() != lower.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
    if (c != lower[i]) return false;
  }
  return true;
}

}  // namespace

void refuse_delivery(WebhookProblem::Reason reason, std::string message, std::string help) {
  throw DeliveryRefused({reason, std::move(message), std::move(help)});
}

std::optional<std::string_view> find_header(const Delivery& delivery, std::string_view lower_name) {
  std::optional<std::string_view> found;
  for (const Header& header : delivery.headers) {
    if (!same_name(header.name, lower_name)) continue;
    if (found)
      refuse_delivery(WebhookProblem::Reason::malformed,
                      "the header " + in_quotes(lower_name) + " is there twice");
    found = trim(header.value);
  }
  return found;
}

bool has_header(const Delivery& delivery, std::string_view lower_name) {
  return find_header(delivery, lower_name).has_value();
}

}  // namespace runner::triggers
