#pragma once
// Who asks, and what they may. Internal to this folder.

#include <cstdint>

#include "runner/api/context.h"

namespace runner::api {

/// What a route asks for.
enum class Access : std::uint8_t { open, signature, viewer, developer, admin };

/// Who asks; nobody where that does not matter. Throws Refusal: 401 without or with a bad token, 403 for a
/// stranger at the socket, 429 when the same address showed too many bad ones. Blocks on the store.
///
/// At a unix socket the kernel says who it is; a token that is shown there all the same counts in its place,
/// so that a proxy before the socket lends nobody its own rights.
Caller authenticate(Context& context, const http::Request& request, Access access);
/// Throws Refusal (403) when the role is too low.
void check_role(const Caller& caller, Access access);

/// Throws Refusal (403) unless the caller is this user or an admin.
void check_own(const Caller& caller, const std::optional<storage::UserRecord>& user);

}  // namespace runner::api
