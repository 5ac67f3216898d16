#pragma once
// Programs that keep logins: docker-credential-NAME. Source: github.com/docker/docker-credential-helpers,
// "Development": "get" takes the address of the server on its input and answers with JSON.

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "registry/logins.h"

namespace runner::registry {

/// Asks the helper `name` for `host`. nullopt when it knows nobody there. It is run with our environment, in
/// a session of its own, and ended with all it started when it takes longer. Blocks that long. Throws Error:
/// invalid_input for what is no name, unavailable, timeout, cancelled.
std::optional<Login> ask_helper(const std::string& name, const std::string& host,
                                std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace runner::registry
