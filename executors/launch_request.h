#pragma once
// The launch request as bytes: strings with their length in front, nothing is quoted or terminated.

#include <optional>
#include <string>
#include <string_view>

#include "executors/launcher.h"

namespace runner::executors {

std::string encode(const LaunchRequest& request);
/// Throws Error{corrupt} when `bytes` was not made by encode().
LaunchRequest decode_launch_request(std::string_view bytes);

std::string encode(const SandboxSpec& spec, std::string_view cookie);
/// Throws Error{corrupt}.
std::pair<SandboxSpec, std::string> decode_sandbox(std::string_view bytes);

}  // namespace runner::executors
