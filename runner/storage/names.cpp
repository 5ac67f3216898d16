#include "runner/storage/names.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::storage {
namespace {

constexpr std::size_t kMaxMessage = 4096;

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// A byte for people: as it is when it can be seen.
std::string shown(char c) {
  if (c > ' ' && c <= '~') return in_quotes({&c, 1});
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("the byte 0x") + kDigits[byte >> 4U] + kDigits[byte & 15U];
}

std::optional<std::string> name_problem(const std::string& whose, std::string_view name,
                                        std::string_view marks, const char* marks_shown) {
  if (name.empty()) return "the name of a " + whose + " may not be empty";
  if (name.size() > kMaxName) {
    return "the name of a " + whose + " may have " + std::to_string(kMaxName) +
           " characters, and this one has " + std::to_string(name.size());
  }
  const auto bad = std::find_if(name.begin(), name.end(), [&](char c) {
    return !is_letter_or_digit(c) && marks.find(c) == std::string_view::npos;
  });
  if (bad != name.end()) {
    return "the name of a " + whose + " may have lower-case letters, digits, " + marks_shown +
           ", and this one has " + shown(*bad) + " at position " + std::to_string(bad - name.begin() + 1);
  }
  if (!is_letter_or_digit(name.front())) {
    return "the name of a " + whose + " begins with a letter or a digit, and this one with " +
           shown(name.front());
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> project_name_problem(std::string_view name) {
  return name_problem("project", name, "-_.", "'-', '_' and '.'");
}

std::optional<std::string> user_name_problem(std::string_view name) {
  return name_problem("user", name, "-_.@+", "'-', '_', '.', '@' and '+'");
}

void check_text(std::string_view what, std::string_view text, std::size_t max_bytes) {
  std::string problem;
  if (text.size() > max_bytes) {
    problem = " has " + format_bytes(text.size()) + ", and may have " + format_bytes(max_bytes);
  } else if (text.find('\0') != std::string_view::npos) {
    problem = " has a zero byte in it; leave it out";
  } else if (!is_utf8(text)) {
    problem = " is not UTF-8; convert it";
  }
  if (!problem.empty()) throw Error(ErrorCode::invalid_input, std::string(what) + problem);
}

std::string storable_text(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  // Cut first: what a remote says may be long. A character that is cut is replaced, so there is always room
  // for less than one more.
  std::string result =
      replace_all(to_utf8(text.substr(0, kMaxMessage)), std::string_view("\0", 1), kReplacement);
  if (result.size() <= kMaxMessage) return result;
  std::size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(result[end]) & 0xc0U) == 0x80U) --end;
  result.resize(end);
  return result;
}

}  // namespace runner::storage
