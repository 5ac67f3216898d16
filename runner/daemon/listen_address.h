#pragma once
// Where a server listens, as people write it. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runner::daemon {

struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any that is free
};

/// "127.0.0.1:8080", "[::1]:8080", "8080", ":8080". nullopt when it is none; whether the host is an address
/// shows when it is bound.
std::optional<ListenAddress> parse_listen_address(std::string_view text);

inline constexpr std::string_view kListenAddressHelp =
    "write it like 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080";

}  // namespace runner::daemon
