#include "runner/daemon/serve_values.h"

#include <algorithm>

#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::daemon {

bool is_web_address(std::string_view url) {
  const std::size_t host = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
  return host != 0 && url.size() > host && url[host] != '/' && plain &&
         url.find_first_of("?#@\"<>\\") == std::string_view::npos;
}

std::optional<std::chrono::hours> parse_keep_logs(std::string_view text) {
  if (text == "forever") return std::chrono::hours(0);
  const auto kept = parse_duration(text);
  if (!kept || *kept < std::chrono::hours(1)) return std::nullopt;
  return std::chrono::ceil<std::chrono::hours>(*kept);
}

std::optional<std::uint64_t> parse_log_size(std::string_view text) {
  constexpr std::uint64_t kLeast = 1UL << 20;
  const auto bytes = parse_bytes(text);
  return bytes && *bytes >= kLeast ? bytes : std::nullopt;
}

}  // namespace runner::daemon
