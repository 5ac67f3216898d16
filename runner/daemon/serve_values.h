#pragma once
// What a server is told, as people write it: on the command line and in a configuration file. Pure; any
// thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace runner::daemon {

inline constexpr std::int64_t kMostJobs = 10'000;
inline constexpr std::int64_t kMostLogFiles = 10'000;

/// "https://ci.example.com", perhaps with a path: what links begin with.
bool is_web_address(std::string_view url);
inline constexpr std::string_view kWebAddressHelp = "write it like https://ci.example.com";

/// "90d", an hour or more; "forever" is 0. nullopt when it is none.
std::optional<std::chrono::hours> parse_keep_logs(std::string_view text);
inline constexpr std::string_view kKeepLogsHelp = "write it like 90d, or 'forever'; the least is 1h";

/// "64M", a megabyte or more. nullopt when it is none.
std::optional<std::uint64_t> parse_log_size(std::string_view text);
inline constexpr std::string_view kLogSizeHelp = "write it like 64M; the least is 1M";

}  // namespace runner::daemon
