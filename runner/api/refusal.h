#pragma once
// How a handler answers with a problem: it throws. Internal to this folder.

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "runner/http/problem.h"
#include "runner/storage/rights.h"

namespace runner::api {

class Refusal : public std::exception {
 public:
  explicit Refusal(http::Problem problem, http::Headers headers = {},
                   std::optional<storage::Permission> needed = {})
      : problem_(std::move(problem)), headers_(std::move(headers)), needed_(needed) {}
  const http::Problem& problem() const noexcept { return problem_; }
  /// Beside those of every problem: Retry-After, WWW-Authenticate.
  const http::Headers& headers() const noexcept { return headers_; }
  /// The permission that the caller lacks; nullopt: it is refused for something else.
  std::optional<storage::Permission> needed() const noexcept { return needed_; }
  const char* what() const noexcept override { return problem_.detail.c_str(); }

 private:
  http::Problem problem_;
  http::Headers headers_;
  std::optional<storage::Permission> needed_;
};

struct FieldError {
  std::string field;  // "variables.NAME"; empty: the body as a whole
  std::string message;
};

/// All of these throw Refusal.
[[noreturn]] void refuse(int status, std::string detail);
/// 403, to somebody known who lacks a permission.
[[noreturn]] void refuse_permission(storage::Permission needed, std::string detail);
/// 404; `what` is "project 'shop'".
[[noreturn]] void refuse_missing(const std::string& what);
/// 422, with "errors".
[[noreturn]] void refuse_fields(const std::vector<FieldError>& errors);
[[noreturn]] void refuse_field(std::string field, std::string message);
/// 429.
[[noreturn]] void refuse_for_now(std::string detail, std::chrono::milliseconds retry_after);

http::Response to_response(const http::Request& request, const Refusal& refusal);

}  // namespace runner::api
