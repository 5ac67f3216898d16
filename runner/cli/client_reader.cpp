#include "runner/cli/client_reader.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "runner/cli/client_answers.h"
#include "runner/cli/client_json.h"

namespace runner::cli {

using nlohmann::json;

Reader::Reader(const json& value, std::string_view what) : value_(value), what_(what) {
  if (!value.is_object()) throw_unreadable("it is no " + what_);
}

const json* Reader::find(const char* name) const {
  const auto found = value_.find(name);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

void Reader::require(const char* name) const {
  if (find(name) == nullptr) throw_unreadable("the " + what_ + " has no '" + name + "'");
}

void Reader::take(const char* name, std::string& out) const {
  if (const json* found = find(name))
    out = expect(found->is_string(), name, "text", *found).get<std::string>();
}

void Reader::take(const char* name, bool& out) const {
  if (const json* found = find(name))
    out = expect(found->is_boolean(), name, "truth value", *found).get<bool>();
}

void Reader::take(const char* name, std::int64_t& out) const {
  if (const auto number = integer(name)) out = *number;
}

void Reader::take(const char* name, std::optional<std::int64_t>& out) const {
  out = integer(name);
}
void Reader::take(const char* name, std::uint64_t& out) const {
  std::optional<std::uint64_t> number;
  take(name, number);
  out = number.value_or(0);
}

void Reader::take(const char* name, std::optional<std::uint64_t>& out) const {
  const auto number = integer(name);
  if (number && *number < 0) fail(name, "number from 0");
  if (number) out = static_cast<std::uint64_t>(*number);
}

void Reader::take(const char* name, std::optional<double>& out) const {
  if (const json* found = find(name)) out = expect(found->is_number(), name, "number", *found).get<double>();
  if (out && !std::isfinite(*out)) fail(name, "number");
}

void Reader::take(const char* name, std::optional<TimePoint>& out) const {
  std::string text;
  take(name, text);
  if (text.empty()) return;
  out = parse_moment(text);
  if (!out) fail(name, "moment");
}

void Reader::take(const char* name, std::vector<std::string>& out) const {
  for_each(name, [&](const json& item) {
    out.push_back(expect(item.is_string(), name, "list of texts", item).get<std::string>());
  });
}

void Reader::for_each(const char* name, const std::function<void(const json&)>& visit) const {
  const json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_array()) fail(name, "list");
  for (const json& item : *found) visit(item);
}

void Reader::fail(const char* name, std::string_view kind) const {
  throw_unreadable("'" + std::string(name) + "' of the " + what_ + " is no " + std::string(kind));
}

const json& Reader::expect(bool holds, const char* name, std::string_view kind, const json& found) const {
  if (!holds) fail(name, kind);
  return found;
}

std::optional<std::int64_t> Reader::integer(const char* name) const {
  const json* found = find(name);
  if (found == nullptr) return std::nullopt;
  const bool fits =
      found->is_number_integer() &&
      (!found->is_number_unsigned() || found->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
  return expect(fits, name, "whole number", *found).get<std::int64_t>();
}

}  // namespace runner::cli
