#pragma once
// Between rows and the values of this folder. Internal to it.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/status.h"
#include "runner/database/row.h"
#include "runner/storage/store.h"

namespace runner::storage {

using database::as_integer;
using database::as_optional_integer;
using database::as_optional_time;
using database::as_text;
using database::as_time;
using database::Row;
using database::to_value;
using database::Value;

/// These throw Error{corrupt} when the column holds something else.
pipelines::JobStatus as_status(const Value& value);
bool as_flag(const Value& value);
std::optional<std::string> as_optional_text(const Value& value);
const std::vector<std::byte>& as_bytes(const Value& value);
[[noreturn]] void throw_unknown(std::string_view what, std::string_view text);

/// The enumerator of this text; `what` is for the message: "kind of artifact".
template <typename Enum>
Enum as_enumerator(const Value& value, std::initializer_list<Enum> all, std::string_view what) {
  const std::string& text = as_text(value);
  for (const Enum one : all) {
    if (text == to_string(one)) return one;
  }
  throw_unknown(what, text);
}

Value to_value(pipelines::JobStatus status);
Value to_value(std::optional<std::int64_t> number);
Value to_value(const std::optional<std::string>& text);

/// Throws Error{not_found} unless there is this project: a foreign key would say only that one failed.
void check_project(Tx& tx, std::int64_t project);

/// For LIMIT: no list is longer than kMaxPage, whatever is asked for.
Value limit_value(std::size_t limit) noexcept;

}  // namespace runner::storage
