#pragma once
// JSON of logins. Internal to this folder. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "registry/logins.h"

namespace runner::registry {

/// What a helper answered; nullopt when it is not that.
std::optional<Login> parse_helper_answer(std::string_view json);

/// "docker.io" for the names that the hub has had; else as it is.
std::string known_host(std::string_view host);

}  // namespace runner::registry
