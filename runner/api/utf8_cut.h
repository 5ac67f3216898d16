#pragma once
// Text that comes in pieces. Internal to this folder. Pure.

#include <cstddef>
#include <string_view>

namespace runner::api {

/// How many bytes of `text` to take so that no character is cut: all but the beginning of one at the end.
/// What is no UTF-8 is taken as it is.
std::size_t whole_characters(std::string_view text) noexcept;

}  // namespace runner::api
