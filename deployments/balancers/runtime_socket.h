#pragma once
// One command and its answer over the stats socket of HAProxy. Internal to this folder; any thread.

#include <chrono>
#include <stop_token>
#include <string>

namespace runner::deployments {

/// `socket` is a path or HOST:PORT. The answer is whole: it ends with a newline, or this throws. Blocks up to
/// `timeout`. Throws Error: unavailable, timeout, cancelled, corrupt (more than 16 MiB).
std::string ask_runtime_socket(const std::string& socket, const std::string& command,
                               std::chrono::milliseconds timeout, const std::stop_token& stop);

}  // namespace runner::deployments
