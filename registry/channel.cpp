#include "registry/channel.h"

#include <algorithm>

#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr int kMostRedirects = 5;

HttpRequest make_request(const Call& call) {
  HttpRequest request;
  request.method = call.method;
  request.fields = call.fields;
  request.body = call.body;
  request.source = call.source;
  return request;
}

bool is_redirect(const Call& call, const HttpHead& head) {
  const bool only_asks = call.method == "GET" || call.method == "HEAD";
  const long status = head.status;
  return only_asks && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
         head.fields.count("location") != 0;
}

}  // namespace

Channel::Channel(const Logins& logins, const ClientOptions& options, const Clock& clock)
    : options_(options), hosts_(options), authorizer_(logins, options, hosts_, clock) {}

Answer Channel::send(const Call& call, const std::stop_token& stop) {
  const Url base = hosts_.base(call.image.host, stop);
  Url url = call.url ? *call.url : resolve_url(base, "/v2/" + call.target);
  std::vector<std::string> scopes = {"repository:" + call.image.path + ':' + call.actions};
  scopes.insert(scopes.end(), call.more_scopes.begin(), call.more_scopes.end());
  hosts_.check_way(base, url);
  bool was_challenged = false;
  for (int redirects = 0;;) {
    const bool is_home = url.has_origin_of(base);
    HttpRequest request = make_request(call);
    hosts_.set_trust(request, url);
    Grant grant = is_home ? authorizer_.grant(base, call.image, scopes, stop) : Grant{};
    Answer answer(std::move(request), url, std::move(grant), options_.waits, stop);
    if (answer.head().status == 401 && is_home && !was_challenged) {
      was_challenged = true;
      answer.drain();
      authorizer_.challenged(base, call.image, scopes, answer.head().challenges);
      if (call.source.rewind) call.source.rewind();
      continue;
    }
    if (!is_redirect(call, answer.head())) return answer;
    if (++redirects > kMostRedirects)
      throw Error(ErrorCode::unavailable,
                  shown(url.host) + " redirects again and again; check the name, and the registry's set-up");
    const Url next = answer.location();
    hosts_.check_way(url, next);
    url = next;
  }
}

Answer Channel::expect(const Call& call, std::initializer_list<long> statuses, const std::stop_token& stop) {
  Answer answer = send(call, stop);
  if (std::find(statuses.begin(), statuses.end(), answer.head().status) == statuses.end()) answer.refuse();
  return answer;
}

}  // namespace runner::registry
