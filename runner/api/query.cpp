#include "runner/api/query.h"

#include <algorithm>

#include "runner/api/refusal.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

constexpr std::size_t kMostItems = 100;
constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return {};
  std::string text;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const std::size_t high = kDigits.find(hex[at]);
    const std::size_t low = kDigits.find(hex[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return {};
    text += static_cast<char>(high * 16 + low);
  }
  return text;
}

}  // namespace

void check_query(const http::Request& request, std::string_view allowed, std::string_view repeatable) {
  const auto names = split(allowed, ',');
  for (const auto& [name, value] : request.query) {
    if (std::find(names.begin(), names.end(), name) == names.end() || name.empty())
      refuse_field(name, allowed.empty()
                             ? "nothing can be asked here behind the '?'"
                             : "this cannot be asked here; what can is " + replace_all(allowed, ",", ", "));
    if (name != repeatable && request.query.count(name) > 1) refuse_field(name, "this is asked twice");
  }
}

std::string make_cursor(std::string_view kind, std::string_view last) {
  std::string hex;
  for (const char c : std::string(kind) + ":" + std::string(last)) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kDigits[static_cast<unsigned char>(c) & 0xfU];
  }
  return hex;
}

Page page_of(const http::Request& request, std::string_view kind) {
  Page page;
  if (const std::string* limit = request.query_value("limit")) {
    const auto number = parse_integer(*limit);
    if (!number || *number < 1 || *number > static_cast<std::int64_t>(kMostItems))
      refuse_field("limit", "must be a number from 1 to " + std::to_string(kMostItems));
    page.limit = static_cast<std::size_t>(*number);
  }
  if (const std::string* cursor = request.query_value("cursor")) {
    const auto text = from_hex(*cursor);
    const std::string begin = std::string(kind) + ":";
    if (!text || !text->starts_with(begin) || text->size() == begin.size() || !is_utf8(*text) ||
        text->find('\0') != std::string::npos)
      refuse_field("cursor", "must be the 'next' of the page before, of the same list");
    page.after = text->substr(begin.size());
  }
  return page;
}

std::int64_t after_id(const Page& page) {
  if (page.after.empty()) return 0;
  const auto id = parse_integer(page.after);
  if (!id || *id < 1) refuse_field("cursor", "must be the 'next' of the page before, of the same list");
  return *id;
}

}  // namespace runner::api
