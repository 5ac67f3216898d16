#include "runner/api/access.h"

#include <unistd.h>

#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/access_token.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/project_table.h"
#include "runner/storage/role_table.h"
#include "runner/storage/schedule_table.h"
#include "runner/storage/tables.h"

namespace runner::api {
namespace {

using storage::Permission;

[[noreturn]] void refuse_unknown(std::string detail) {
  throw Refusal({.status = 401, .detail = std::move(detail)}, {{"WWW-Authenticate", "Bearer"}});
}

/// What the client shows; nullopt: nothing. Throws Refusal.
std::optional<std::string> shown_token(Context& context, const http::Headers& headers) {
  const auto refuse_form = [&](const char* why) {
    context.counts.attempt(AuthMethod::token, AuthResult::failure);
    refuse_unknown(why);
  };
  if (headers.count("Authorization") > 1 || headers.count("PRIVATE-TOKEN") > 1)
    refuse_form("more than one token is shown; show one");
  if (const std::string* authorization = headers.find("Authorization")) {
    const auto words = split_words(*authorization);
    if (words.size() == 2 && to_lower(words[0]) == "bearer") return std::string(words[1]);
    refuse_form("the header 'Authorization' must be 'Bearer' and a token");
  }
  const std::string* token = headers.find("PRIVATE-TOKEN");
  return token == nullptr ? std::optional<std::string>() : std::string(trim(*token));
}

/// nullopt when nobody may anything with it.
std::optional<Caller> caller_of(Context& context, const std::string& token) {
  if (!storage::is_token(token)) return {};
  const std::string hash = storage::token_hash(token);
  const TimePoint now = context.parts.clock.now();
  std::optional<Caller> caller;
  std::int64_t use = 0;  // to be written down
  context.parts.store.read([&](storage::Tx& tx) {
    caller.reset();
    use = 0;
    const auto record = storage::Tokens(tx).find_by_hash(hash);
    const auto user = record ? storage::Users(tx).find(record->user) : std::nullopt;
    const auto role = user ? storage::role_now(*record, *user, now) : std::nullopt;
    if (!role) return;
    caller = {.name = user->name,
              .role = *role,
              .rights = storage::rights_now(tx, *user, record->role),
              .user = user->id,
              .token = record->id,
              .limit = user->role == storage::Role::none ? record->role : storage::Role::none};
    if (storage::is_use_written(*record, now)) use = record->id;
  });
  if (use != 0) {
    try {
      context.parts.store.write([&](storage::Tx& tx) { storage::Tokens(tx).touch(use, now); });
    } catch (const Error& error) {  // who only reads must not suffer from a full disk
      log_warn("api", "the use of token " + std::to_string(use) + " is not written down: " + error.what());
    }
  }
  return caller;
}

/// Throws Refusal: 401, or 429 when this address failed too often.
[[noreturn]] void refuse_token(Context& context, const http::Request& request) {
  const auto verdict =
      context.failures.lock()->take("token " + request.peer.address, context.parts.clock.steady_now());
  context.counts.attempt(AuthMethod::token, verdict.allowed ? AuthResult::failure : AuthResult::limited);
  if (!verdict.allowed)
    refuse_for_now("too many bad tokens came from this address; try again later", verdict.retry_after);
  refuse_unknown("this token is unknown, expired or revoked, or its user is disabled; ask an admin for one");
}

Caller at_socket(const http::Credentials& peer) {
  return {.name = peer.uid == 0 ? "root" : std::to_string(peer.uid),
          .role = storage::Role::admin,
          .rights = storage::Rights(storage::Role::admin),
          .user = {}};
}

Caller identify(Context& context, const http::Request& request) {
  const auto& peer = request.peer.credentials;
  if (peer && peer->uid != 0 && peer->uid != ::geteuid()) {
    context.counts.attempt(AuthMethod::socket, AuthResult::failure);
    refuse(403, "user " + std::to_string(peer->uid) +
                    " may not use this socket; root and the server's own user may, others come by network");
  }
  const auto token = shown_token(context, request.headers);
  if (!token) {
    context.counts.attempt(peer ? AuthMethod::socket : AuthMethod::none,
                           peer ? AuthResult::success : AuthResult::failure);
    if (peer) return at_socket(*peer);
    refuse_unknown("show a token: 'Authorization: Bearer rnr_...'");
  }
  auto caller = caller_of(context, *token);
  if (!caller) refuse_token(context, request);
  context.counts.attempt(AuthMethod::token, AuthResult::success);
  return *std::move(caller);
}

/// What is asked for by an id: where that is.
struct Named {
  std::string what, project, environment;  // "job 7"; empty: it is none of these
};

std::string project_of(storage::Tx& tx, std::int64_t pipeline) {
  const auto found = storage::Pipelines(tx).find(pipeline);
  const auto project = found ? storage::Projects(tx).find(found->project) : std::nullopt;
  return project ? project->name : std::string();
}

Named named_by_id(Context& context, std::string_view path, std::int64_t id) {
  Named named;
  context.parts.store.read([&](storage::Tx& tx) {
    named = {};
    if (path.starts_with("/api/v1/pipelines/")) {
      named = {"pipeline " + std::to_string(id), project_of(tx, id), ""};
    } else if (path.starts_with("/api/v1/jobs/")) {
      const auto job = storage::Jobs(tx).find(id);
      named = {"job " + std::to_string(id), job ? project_of(tx, job->pipeline) : "", ""};
    } else if (path.starts_with("/api/v1/schedules/")) {
      const auto schedule = storage::Schedules(tx, context.parts.sealer).find(id);
      const auto project = schedule ? storage::Projects(tx).find(schedule->project) : std::nullopt;
      named = {"schedule " + std::to_string(id), project ? project->name : "", ""};
    } else if (path.starts_with("/api/v1/deployments/")) {
      const auto deployment = storage::Deployments(tx).find(id);
      const auto environment =
          deployment ? storage::Environments(tx).find(deployment->environment) : std::nullopt;
      named = {"deployment " + std::to_string(id), environment ? environment->project : "",
               environment ? environment->name : ""};
    }
  });
  return named;
}

/// nullopt: of none, or of several.
std::optional<Permission> permission_of(Access access) {
  switch (access) {
    case Access::monitor:
      return Permission::monitor;
    case Access::view_logs:
      return Permission::view_logs;
    case Access::deploy:
      return Permission::deploy;
    case Access::rollback:
      return Permission::rollback;
    case Access::manage_users:
      return Permission::manage_users;
    case Access::manage_roles:
    case Access::keys:
      return Permission::manage_roles;
    case Access::open:
    case Access::signature:
    case Access::known:
    case Access::manage:
      break;
  }
  return std::nullopt;
}

}  // namespace

Caller authenticate(Context& context, const http::Request& request, Access access) {
  if (access == Access::open || access == Access::signature) return {};
  Caller caller = identify(context, request);
  caller.source = request.peer.address;
  caller.request = request.id;
  return caller;
}

void check_permission(const Caller& caller, Permission needed, const std::string& project,
                      const std::string& environment, const std::string& what) {
  if (caller.rights.may(needed, project, environment)) return;
  const std::string place =
      !environment.empty() ? " for the environment " + in_quotes(environment) + " of " + in_quotes(project)
      : project.empty()    ? ""
                           : " for project " + in_quotes(project);
  refuse_permission(needed, (what.empty() ? "this needs" : what + " needs") + " the permission " +
                                in_quotes(to_string(needed)) + to_utf8(place) + ", and " +
                                in_quotes(caller.name) + " does not have it with this token");
}

void check_rights(Context& context, const ApiRoute& route, const http::Request& request,
                  const Caller& caller) {
  if (route.access == Access::manage) {
    if (caller.rights.may(Permission::manage_users)) return;
    check_permission(caller, Permission::manage_roles);
  }
  if (route.access == Access::keys) check_permission(caller, Permission::manage_users);
  const auto needed = permission_of(route.access);
  if (!needed || caller.rights.may(*needed)) return;
  if (!caller.rights.may_somewhere(*needed)) check_permission(caller, *needed);
  // What these list is filtered by the handler.
  if (route.name == "list_projects" || route.name == "follow_events") return;
  const auto parameter = [&](const char* name) {
    const auto found = request.parameters.find(name);
    return found == request.parameters.end() ? std::string() : found->second;
  };
  if (route.path.starts_with("/api/v1/projects/"))
    return check_permission(caller, *needed, parameter("name"), parameter("environment"));
  const Named named = named_by_id(context, route.path, parse_integer(parameter("id")).value_or(0));
  if (named.what.empty()) check_permission(caller, *needed);
  if (named.project.empty()) return;  // nobody's: the handler says that it is not there
  if (!caller.rights.may(Permission::monitor, named.project, named.environment)) refuse_missing(named.what);
  check_permission(caller, *needed, named.project, named.environment);
}

void check_own(const Caller& caller, const std::optional<storage::UserRecord>& user) {
  if (user && caller.user == user->id) return;
  check_permission(caller, Permission::manage_users, "", "", "what is of others");
}

}  // namespace runner::api
