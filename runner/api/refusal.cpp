#include "runner/api/refusal.h"

#include "runner/api/json_output.h"

namespace runner::api {

void refuse(int status, std::string detail) {
  throw Refusal({.status = status, .detail = std::move(detail)});
}

void refuse_permission(storage::Permission needed, std::string detail) {
  throw Refusal({.status = 403, .detail = std::move(detail)}, {}, needed);
}

void refuse_missing(const std::string& what) {
  refuse(404, "there is no " + what);
}

void refuse_fields(const std::vector<FieldError>& errors) {
  std::vector<std::string> items;
  for (const FieldError& error : errors) {
    JsonObject item;
    item.text("field", error.field).text("message", error.message);
    items.push_back(std::move(item).take());
  }
  const FieldError& first = errors.front();
  throw Refusal({.status = 422,
                 .detail = first.field.empty() ? first.message : first.field + ": " + first.message,
                 .members = {{"errors", json_list(items)}}});
}

void refuse_field(std::string field, std::string message) {
  refuse_fields({{std::move(field), std::move(message)}});
}

void refuse_for_now(std::string detail, std::chrono::milliseconds retry_after) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after);
  throw Refusal({.status = 429, .detail = std::move(detail)},
                {{"Retry-After", std::to_string(std::max<std::int64_t>(1, seconds.count()))}});
}

http::Response to_response(const http::Request& request, const Refusal& refusal) {
  http::Response response = http::problem_response(request, refusal.problem());
  for (const auto& [name, value] : refusal.headers()) response.headers.add(name, value);
  return response;
}

}  // namespace runner::api
