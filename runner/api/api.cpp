#include "runner/api/api.h"

#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/error.h"

namespace runner::api {
namespace {

/// Throws Refusal.
void check_readiness(Context& context) {
  const std::string why = context.parts.actions.refuses_work();
  if (!why.empty()) throw Refusal({.status = 503, .detail = why}, {{"Retry-After", "5"}});
}

http::Response answer(Context& context, const ApiRoute& route, const http::Request& request, Caller& caller) {
  caller = authenticate(context, request, route.access);
  check_rights(context, route, request, caller);
  const Call call{request, caller};
  // Forges add what they like to the address they were given.
  if (route.access != Access::signature) check_query(request, route.query, route.repeatable);
  if (route.method != "GET") check_readiness(context);
  if (route.request.empty() && route.method != "GET") JsonInput(request.body).finish();
  return route.handle(context, call);
}

/// What the handler of a route does around it: rights, and errors as the contract has them.
http::Response handle(Context& context, const ApiRoute& route, const http::Request& request) {
  http::Response response;
  Caller caller;
  try {
    response = answer(context, route, request, caller);
  } catch (const Refusal& refusal) {
    if (refusal.needed()) context.counts.denied(*refusal.needed());
    write_refusal(context, request, caller, refusal);
    response = to_response(request, refusal);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_input || error.system()) throw;
    try {
      refuse_field("", error.what());
    } catch (const Refusal& refusal) {
      response = to_response(request, refusal);
    }
  }
  // Logs and archives are what jobs made: no browser is to guess that one is a page. And logs grow.
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (response.headers.find("Cache-Control") == nullptr) response.headers.add("Cache-Control", "no-cache");
  return response;
}

}  // namespace

struct Api::Impl {
  explicit Impl(ApiParts parts) : context(std::move(parts)) {}
  Context context;
};

Api::Api(ApiParts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}

Api::~Api() = default;

void Api::add_routes(http::Router& router) {
  for (const ApiRoute& route : api_routes()) {
    router.add({.method = std::string(route.method),
                .pattern = std::string(route.path),
                .name = std::string(route.name),
                .handler = [context = &impl_->context, &route](
                               const http::Request& request) { return handle(*context, route, request); },
                .body_limit = route.body_limit,
                .fast = route.fast,
                .unless = route.token_tells_more ? asks_with_token : nullptr});
  }
}

const AccessCounts& Api::access_counts() const noexcept {
  return impl_->context.counts;
}

void Api::changed() noexcept {
  impl_->context.followers.changed();
}

}  // namespace runner::api
