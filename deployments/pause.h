#pragma once
// Waiting that ends when one is to stop. Any thread.

#include <chrono>
#include <stop_token>

namespace runner::deployments {

/// Waits so long. Throws Error{cancelled} as soon as `stop` says so.
void pause_for(std::chrono::milliseconds time, const std::stop_token& stop);

/// Polls `fd` for `events` until `until`. False when the time has passed first. Throws Error{cancelled} as
/// soon as `stop` says so.
bool wait_for_fd(int fd, short events, std::chrono::steady_clock::time_point until,
                 const std::stop_token& stop);

}  // namespace runner::deployments
