#include "runner/http/target.h"

#include <algorithm>

#include "runner/base/text.h"

namespace runner::http {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// As HTML forms write it: '+' is a blank.
std::optional<std::string> form_decode(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return percent_decode(plain);
}

bool parse_query(std::string_view text, Target& target) {
  for (const std::string_view part : split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    auto name = form_decode(part.substr(0, equals));
    auto value = form_decode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
    if (!name || !value) return false;
    target.query.emplace(std::move(*name), std::move(*value));
  }
  return true;
}

/// Without scheme and authority of the absolute form, which servers must take too.
std::string_view without_authority(std::string_view target) {
  const std::string scheme = to_lower(target.substr(0, 8));
  const std::size_t begin = scheme == "https://" ? 8 : scheme.starts_with("http://") ? 7 : 0;
  if (begin == 0) return target;
  const std::size_t end = target.find_first_of("/?", begin);
  return end == std::string_view::npos ? "/" : target.substr(end);
}

/// Of one segment, decoded: it may hold slashes, and become part of a path of files.
bool has_dots(const std::string& segment) {
  const std::vector<std::string_view> parts = split(segment, '/');
  return std::any_of(parts.begin(), parts.end(),
                     [](std::string_view part) { return part == "." || part == ".."; });
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    if (text.size() - i < 3) return {};
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return {};
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

std::optional<Target> parse_target(std::string_view target) {
  Target parsed;
  if (target == "*") {
    parsed.path = "*";
    return parsed;
  }
  target = without_authority(target);
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (path.find('#') != std::string_view::npos) return {};
  parsed.path = path.empty() && mark == 0 ? "/" : std::string(path);
  if (!parsed.path.starts_with('/')) return {};
  for (const std::string_view segment : split(std::string_view(parsed.path).substr(1), '/')) {
    auto decoded = percent_decode(segment);
    if (!decoded || has_dots(*decoded)) return {};
    parsed.segments.push_back(std::move(*decoded));
  }
  if (mark != std::string_view::npos && !parse_query(target.substr(mark + 1), parsed)) return {};
  return parsed;
}

std::string loggable(std::string_view target) {
  const std::size_t mark = target.find('?');
  std::string line(target.substr(0, mark));
  if (mark == std::string_view::npos) return line;
  char before = '?';
  for (const std::string_view part : split(target.substr(mark + 1), '&')) {
    // A part without '=' may be a bare token just as well as a name.
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    line += before;
    line += part.substr(0, equals);
    before = '&';
  }
  return line;
}

}  // namespace runner::http
