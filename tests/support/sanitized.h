#pragma once
// Whether this is a build with a sanitizer, which takes a multiple of the time. Tests that do the same at a
// hundred places do it at some of them then: what sanitizers look for shows there as well, and all are tried
// without one.

#include <cstddef>

namespace runner::test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// From one place to the next.
inline constexpr std::size_t kStride = kSanitized ? 5 : 1;

}  // namespace runner::test
