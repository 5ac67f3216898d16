#pragma once
// What others wrote, as messages show it. Internal to this folder. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace runner::registry {

/// The begin of it on one line, well-formed, without what a terminal would obey.
std::string harmless(std::string_view text, std::size_t most = 200);
/// The same in quotes.
std::string shown(std::string_view text, std::size_t most = 200);

}  // namespace runner::registry
