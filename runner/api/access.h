#pragma once
// Who asks, and what they may. Internal to this folder.

#include <cstdint>

#include "runner/api/context.h"

namespace runner::api {

/// What a route asks for: a permission, for the project or the environment that its path names.
enum class Access : std::uint8_t {
  open,
  signature,  // of a webhook
  known,      // a user, whatever they may; what is of others is the handler's to refuse
  monitor,
  view_logs,
  deploy,
  rollback,
  manage_users,
  manage_roles,
  manage,  // manage_users or manage_roles
  keys,    // both of them
};

/// Who asks; nobody where that does not matter. Throws Refusal: 401 without or with a bad token, 403 for a
/// stranger at the socket, 429 when the same address showed too many bad ones. Blocks on the store.
///
/// At a unix socket the kernel says who it is; a token that is shown there all the same counts in its place,
/// so that a proxy before the socket lends nobody its own rights.
Caller authenticate(Context& context, const http::Request& request, Access access);
struct ApiRoute;
/// Throws Refusal: 403 when the caller may not do this there, 404 when they may not know of what the path
/// names by its id. The one place where routes are checked; handlers refuse more, never less. Blocks on the
/// store for those only who do not have the permission for all projects.
void check_rights(Context& context, const ApiRoute& route, const http::Request& request,
                  const Caller& caller);

/// Throws Refusal (403) unless the caller has the permission for a project and an environment; "" = all of
/// them.
void check_permission(const Caller& caller, storage::Permission needed, const std::string& project = {},
                      const std::string& environment = {}, const std::string& what = {});

/// Throws Refusal (403) unless the caller is this user or may manage users.
void check_own(const Caller& caller, const std::optional<storage::UserRecord>& user);

}  // namespace runner::api
