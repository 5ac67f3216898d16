#include "pipelines/variable_scan.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kSpecialNames = "@*#?!-0123456789";

/// What stands at a '$' or '%': its parts are `length` bytes of the text.
struct Match {
  std::size_t length = 1;
  ScanPart part;
};

Match dollar(std::string_view rest, ScanMode mode) {
  const Match literal{1, {ScanKind::text, rest.substr(0, 1), {}}};
  if (rest.size() < 2) return literal;
  const std::size_t plain = name_length(rest.substr(1));
  if (plain > 0) return {plain + 1, {ScanKind::dollar, rest.substr(0, plain + 1), rest.substr(1, plain)}};
  if (rest[1] == '{') {
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) return literal;
    const std::string_view inside = rest.substr(2, end - 2);
    const std::string_view whole = rest.substr(0, end + 1);
    if (!inside.empty() && name_length(inside) == inside.size())
      return {end + 1, {ScanKind::dollar, whole, inside}};
    if (mode == ScanMode::creation) return literal;
    return {end + 1, {ScanKind::text, {}, {}}};  // shell operators mean nothing here
  }
  if (mode == ScanMode::creation) return literal;
  if (rest[1] == '$') return {2, literal.part};
  if (kSpecialNames.find(rest[1]) != std::string_view::npos) return {2, {ScanKind::text, {}, {}}};
  return literal;
}

Match percent(std::string_view rest) {
  const std::size_t name = name_length(rest.substr(1));
  if (name > 0 && name + 1 < rest.size() && rest[name + 1] == '%')
    return {name + 2, {ScanKind::percent, rest.substr(0, name + 2), rest.substr(1, name)}};
  const std::size_t length = rest.size() > 1 && rest[1] == '%' ? 2 : 1;
  return {length, {ScanKind::text, rest.substr(0, length), {}}};
}

}  // namespace

std::size_t name_length(std::string_view text) noexcept {
  if (text.empty() || !is_name_start(text.front())) return 0;
  std::size_t length = 1;
  while (length < text.size() && is_name_character(text[length])) ++length;
  return length;
}

void scan_references(std::string_view text, ScanMode mode, const std::function<void(const ScanPart&)>& emit) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t next = text.find_first_of("$%", at);
    if (next != at) {
      emit({ScanKind::text, text.substr(at, next == std::string_view::npos ? next : next - at), {}});
      if (next == std::string_view::npos) return;
    }
    const std::string_view rest = text.substr(next);
    const Match match = rest.front() == '$' ? dollar(rest, mode) : percent(rest);
    emit(match.part);
    at = next + match.length;
  }
}

}  // namespace runner::pipelines
