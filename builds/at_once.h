#pragma once
// Calls that wait for others, made at the same time.

#include <cstddef>
#include <functional>

namespace runner::builds {

/// Calls `body` with 0 to count - 1, on up to 8 threads, and waits for all. Then throws what the first of
/// them threw that did.
void at_once(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace runner::builds
