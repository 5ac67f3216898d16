// How the server is: for probes, for people, for Prometheus. The world learns one word; more is for those on
// this machine, and for those with a token.
#include <algorithm>

#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"

namespace runner::api {
namespace {

constexpr const char* kForwarded[] = {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"};

bool shows_token(const http::Request& request) {
  return request.headers.find("Authorization") != nullptr || request.headers.find("PRIVATE-TOKEN") != nullptr;
}

/// Not one for whom a proxy on this machine asks.
bool is_of_this_machine(const http::Request& request) {
  if (std::any_of(std::begin(kForwarded), std::end(kForwarded),
                  [&](const char* name) { return request.headers.find(name) != nullptr; }))
    return false;
  const std::string& address = request.peer.address;
  return request.peer.is_local_socket() || address == "::1" || address.starts_with("127.") ||
         address.starts_with("::ffff:127.");
}

/// A token blocks on the store, so it is looked at only where it is shown.
bool may_see(Context& context, const http::Request& request, bool with_token) {
  if (is_of_this_machine(request)) return true;
  if (!with_token || !shows_token(request)) return false;
  try {
    authenticate(context, request, Access::known);
    return true;
  } catch (const Refusal&) {
    return false;  // it is told what everybody is told
  }
}

http::Response answer_health(Context& context, const Call& call, HealthQuestion::About about) {
  const http::Request& request = call.request;
  const bool page = about == HealthQuestion::About::all;
  HealthQuestion question;
  question.about = about;
  question.detail = may_see(context, request, page);
  question.verbose = request.query_value("verbose") != nullptr;
  const auto excluded = request.query.equal_range("exclude");
  for (auto each = excluded.first; each != excluded.second; ++each) question.exclude.push_back(each->second);
  const HealthAnswer answer = context.parts.actions.health(question);
  if (!answer.wrong.empty()) refuse_field("exclude", answer.wrong);
  http::Response response = http::text_response(answer.good ? 200 : 503, answer.body);
  if (page) response.headers.set("Content-Type", "application/health+json");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

bool asks_with_token(const http::Request& request) {
  return shows_token(request) && !is_of_this_machine(request);
}

http::Response show_liveness(Context& context, const Call& call) {
  return answer_health(context, call, HealthQuestion::About::live);
}

http::Response show_readiness(Context& context, const Call& call) {
  return answer_health(context, call, HealthQuestion::About::ready);
}

http::Response show_health(Context& context, const Call& call) {
  return answer_health(context, call, HealthQuestion::About::all);
}

http::Response show_metrics(Context& context, const Call& /*call*/) {
  http::Response response =
      http::text_response(200, context.parts.actions.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

}  // namespace runner::api
