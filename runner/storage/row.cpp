#include "runner/storage/row.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::storage {

void throw_unknown(std::string_view what, std::string_view text) {
  throw Error(ErrorCode::corrupt,
              "unknown " + std::string(what) + " " + in_quotes(text) + " in the database");
}

pipelines::JobStatus as_status(const Value& value) {
  if (const auto status = pipelines::parse_job_status(as_text(value))) return *status;
  throw_unknown("job status", as_text(value));
}

bool as_flag(const Value& value) {
  return as_integer(value) != 0;
}

std::optional<std::string> as_optional_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  return as_text(value);
}

const std::vector<std::byte>& as_bytes(const Value& value) {
  if (const auto* bytes = std::get_if<std::vector<std::byte>>(&value)) return *bytes;
  throw Error(ErrorCode::corrupt, "a column of the database should hold bytes");
}

Value to_value(pipelines::JobStatus status) {
  return std::string(pipelines::to_string(status));
}

Value to_value(std::optional<std::int64_t> number) {
  return number ? Value(*number) : Value(std::monostate{});
}

Value to_value(const std::optional<std::string>& text) {
  return text ? Value(*text) : Value(std::monostate{});
}

void check_project(Tx& tx, std::int64_t project) {
  if (tx.sql().query("SELECT 1 FROM projects WHERE id = $1", {project}).empty()) {
    throw Error(ErrorCode::not_found, "there is no project " + std::to_string(project));
  }
}

Value limit_value(std::size_t limit) noexcept {
  return static_cast<std::int64_t>(std::min(limit, kMaxPage));
}

}  // namespace runner::storage
