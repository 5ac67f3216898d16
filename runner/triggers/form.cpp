#include "runner/triggers/form.h"

#include "runner/base/text.h"
#include "runner/triggers/signature.h"

namespace runner::triggers {
namespace {

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
      if (!byte) return std::nullopt;
      decoded += *byte;
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

}  // namespace

bool is_form(std::string_view content_type) {
  return to_lower(trim(content_type.substr(0, content_type.find(';')))) ==
         "application/x-www-form-urlencoded";
}

std::optional<std::string> form_field(std::string_view form, std::string_view name) {
  std::optional<std::string_view> found;
  while (!form.empty()) {
    const auto end = form.find('&');
    const std::string_view field = form.substr(0, end);
    form.remove_prefix(end == std::string_view::npos ? form.size() : end + 1);
    const auto equals = field.find('=');
    if (decode(field.substr(0, equals)) != name) continue;
    if (found) return std::nullopt;
    found = equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1);
  }
  return found ? decode(*found) : std::nullopt;
}

}  // namespace runner::triggers
