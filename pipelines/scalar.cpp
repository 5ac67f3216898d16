#include "pipelines/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace runner::pipelines {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string without_underscores(std::string_view text) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), '_'), out.end());
  return out;
}

struct Sign {
  bool negative = false;
  std::string_view rest;
};

Sign split_sign(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) return {text[0] == '-', text.substr(1)};
  return {false, text};
}

/// Digits of `base` with underscores, at least one digit.
bool are_digits(std::string_view text, int base) {
  bool any = false;
  for (const char c : text) {
    if (c == '_') continue;
    const char lower = static_cast<char>(c | 0x20);
    const bool fits = base == 16 ? is_digit(c) || (lower >= 'a' && lower <= 'f') : c >= '0' && c < '0' + base;
    if (!fits) return false;
    any = true;
  }
  return any;
}

ScalarValue integer_value(bool negative, std::string_view digits, int base, std::string_view text) {
  const std::string signed_digits = (negative ? "-" : "") + without_underscores(digits);
  std::int64_t value = 0;
  const auto end =
      std::from_chars(signed_digits.data(), signed_digits.data() + signed_digits.size(), value, base);
  if (end.ec == std::errc{}) return value;
  return base == 10 ? signed_digits : std::string(text);
}

std::optional<ScalarValue> as_integer(std::string_view text) {
  const auto [negative, rest] = split_sign(text);
  if (rest.empty() || !is_digit(rest[0])) return std::nullopt;
  if (rest.size() > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'b')) {
    const int base = rest[1] == 'x' ? 16 : 2;
    const std::string_view digits = rest.substr(2);
    if (are_digits(digits, base)) return integer_value(negative, digits, base, text);
    return std::nullopt;
  }
  if (rest[0] == '0' && rest.size() > 1) {
    if (are_digits(rest, 8)) return integer_value(negative, rest, 8, text);
    return std::nullopt;
  }
  if (are_digits(rest, 10)) return integer_value(negative, rest, 10, text);
  return std::nullopt;
}

/// Two or three groups in base sixty; the last one may have a fraction.
std::optional<ScalarValue> as_sexagesimal(std::string_view text) {
  auto [negative, rest] = split_sign(text);
  if (rest.empty() || !is_digit(rest[0]) || rest.find(':') == std::string_view::npos) return std::nullopt;
  const std::size_t point = rest.find('.');
  const std::string_view fraction = point == std::string_view::npos ? std::string_view() : rest.substr(point);
  rest = rest.substr(0, point);

  std::size_t groups = 0;
  std::int64_t total = 0;
  while (true) {
    const std::size_t colon = rest.find(':');
    const std::string_view group = rest.substr(0, colon);
    if (!are_digits(group, 10) || ++groups > 3) return std::nullopt;
    if (groups > 1 && (group.size() > 2 || group.find('_') != std::string_view::npos)) return std::nullopt;
    const std::string digits = without_underscores(group);
    std::int64_t value = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end.ec != std::errc{} || (groups > 1 && value > 59)) return std::nullopt;
    if (total > (std::numeric_limits<std::int64_t>::max() - value) / 60) return std::nullopt;
    total = total * 60 + value;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (fraction.empty()) return ScalarValue(negative ? -total : total);

  const std::string digits = "0" + without_underscores(fraction) + "0";
  double part = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), part);
  if (end.ptr != digits.data() + digits.size()) return std::nullopt;
  const double value = static_cast<double>(total) + part;
  return ScalarValue(negative ? -value : value);
}

/// digits? '.' digits? ( 'e' sign digits )?, at least one digit: an exponent needs its sign, so 12e5 is a
/// string.
std::optional<ScalarValue> as_real(std::string_view text) {
  const auto [negative, rest] = split_sign(text);
  const std::size_t point = rest.find('.');
  if (point == std::string_view::npos) return std::nullopt;
  const std::size_t exponent = rest.find_first_of("eE");
  const std::string_view whole = rest.substr(0, point);
  const std::string_view fraction =
      rest.substr(point + 1, exponent == std::string_view::npos ? exponent : exponent - point - 1);
  if (exponent != std::string_view::npos && exponent < point) return std::nullopt;
  if (!whole.empty() && (whole[0] == '_' || !are_digits(whole, 10))) return std::nullopt;
  if (!fraction.empty() && !are_digits(fraction, 10)) return std::nullopt;
  if (whole.empty() && fraction.empty()) return std::nullopt;

  std::string number =
      (negative ? "-0" : "0") + without_underscores(whole) + "." + without_underscores(fraction) + "0";
  if (exponent != std::string_view::npos) {
    const std::string_view tail = rest.substr(exponent + 1);
    const Sign power = split_sign(tail);
    if (power.rest.size() == tail.size() || !are_digits(power.rest, 10) ||
        power.rest.find('_') != std::string_view::npos) {
      return std::nullopt;
    }
    number += power.negative ? "e-" : "e+";
    number += power.rest;
  }
  double value = 0;
  const auto end = std::from_chars(number.data(), number.data() + number.size(), value);
  if (end.ec == std::errc::result_out_of_range) return std::nullopt;
  return ScalarValue(value);
}

}  // namespace

ScalarValue resolve_plain_scalar(std::string_view text) {
  if (text.empty() || is_one_of(text, {"~", "null", "Null", "NULL"})) return NullScalar{};
  const char first = text[0];
  if (is_digit(first) || first == '-' || first == '+' || first == '.') {
    if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}))
      return std::numeric_limits<double>::infinity();
    if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"})) return -std::numeric_limits<double>::infinity();
    if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
    if (auto value = as_integer(text)) return *std::move(value);
    if (auto value = as_real(text)) return *std::move(value);
    if (auto value = as_sexagesimal(text)) return *std::move(value);
    return text;
  }
  if (text.size() <= 5) {
    if (is_one_of(text, {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) return true;
    if (is_one_of(text, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) return false;
  }
  return text;
}

}  // namespace runner::pipelines
