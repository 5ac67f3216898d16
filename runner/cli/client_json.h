#pragma once
// The JSON of a server's answers, before it is taken apart. Pure; any thread.

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace runner::cli {

/// Throws Error{corrupt}: "cannot read the server's answer: <what>".
[[noreturn]] void throw_unreadable(const std::string& what);

/// Throws Error{corrupt} when it is no JSON, or nested too deeply.
nlohmann::json parse_answer(std::string_view text);

}  // namespace runner::cli
