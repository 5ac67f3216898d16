#include "runner/daemon/listen_address.h"

#include "runner/base/text.h"

namespace runner::daemon {

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress listen;
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const auto port = parse_integer(colon == std::string_view::npos ? text : text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65'535) return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) listen.host = host;
  listen.port = static_cast<std::uint16_t>(*port);
  return listen;
}

}  // namespace runner::daemon
