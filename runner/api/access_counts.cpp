#include "runner/api/access_counts.h"

namespace runner::api {

std::string_view to_string(AuthMethod method) noexcept {
  switch (method) {
    case AuthMethod::token:
      return "token";
    case AuthMethod::socket:
      return "socket";
    case AuthMethod::webhook:
      return "webhook";
    case AuthMethod::none:
      break;
  }
  return "none";
}

std::string_view to_string(AuthResult result) noexcept {
  switch (result) {
    case AuthResult::success:
      return "success";
    case AuthResult::failure:
      return "failure";
    case AuthResult::limited:
      break;
  }
  return "limited";
}

}  // namespace runner::api
