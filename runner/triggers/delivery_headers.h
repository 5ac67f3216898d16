#pragma once
// Looking for headers of a delivery, and how reading one ends early. Inside of this folder only.

#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "runner/triggers/webhook.h"

namespace runner::triggers {

/// Thrown on the way out of verify_webhook() and parse_webhook(), which catch it.
class DeliveryRefused : public std::exception {
 public:
  explicit DeliveryRefused(WebhookProblem problem) : problem_(std::move(problem)) {}
  const WebhookProblem& problem() const noexcept { return problem_; }
  const char* what() const noexcept override { return problem_.message.c_str(); }

 private:
  WebhookProblem problem_;
};

[[noreturn]] void refuse_delivery(WebhookProblem::Reason reason, std::string message, std::string help = {});

/// The value of the header of this name (in lower case), without blanks around it; nullopt when it is not
/// there. Refuses a header that is there twice: nobody could say which one counts.
std::optional<std::string_view> find_header(const Delivery& delivery, std::string_view lower_name);
bool has_header(const Delivery& delivery, std::string_view lower_name);

}  // namespace runner::triggers
