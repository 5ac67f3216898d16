#include "runner/base/error.h"

#include <cerrno>
#include <utility>

namespace runner {
namespace {

ErrorCode code_of(int number) noexcept {
  switch (number) {
    case ENOENT:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::conflict;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return ErrorCode::unavailable;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_input:
      return "invalid_input";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

Error::Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

Error::Error(std::error_code system, std::string message)
    : code_(code_of(system.value())), system_(system), message_(std::move(message)) {
  message_ += ": ";
  message_ += system.message();
}

void Error::add_context(std::string_view context) {
  message_.insert(0, ": ");
  message_.insert(0, context);
}

void throw_errno(std::string_view what) {
  throw_errno(errno, what);
}

void throw_errno(int saved_errno, std::string_view what) {
  throw Error(std::error_code(saved_errno, std::generic_category()), std::string(what));
}

}  // namespace runner
