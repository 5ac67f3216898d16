#pragma once
// Whether something in a container takes TCP connections. Any thread.

#include <cstdint>
#include <span>
#include <string>

#include "runner/base/fd.h"

namespace runner::executors {

/// The network namespace of a container on this machine, found by a process in its control group: `pid` when
/// the engine's numbers are ours, else whichever. Empty when there is none, or we may not have it.
UniqueFd network_of_container(std::string_view container_id, std::int64_t pid);

/// True when one of the ports at `address` takes a connection within half a second; asked from within
/// `network`, or from where we are when it is empty. False for any failure.
bool takes_connection(const UniqueFd& network, const std::string& address,
                      std::span<const std::uint16_t> ports);

}  // namespace runner::executors
