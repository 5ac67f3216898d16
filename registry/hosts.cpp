#include "registry/hosts.h"

#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

/// As Url has it.
std::string plain_host(std::string_view host) {
  const std::string lower = to_lower(host);
  return lower.ends_with(":443") ? lower.substr(0, lower.size() - 4) : lower;
}

std::string api_host(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

}  // namespace

Hosts::Hosts(const ClientOptions& options) : options_(options) {
  for (const std::string& host : options.insecure) insecure_.insert(plain_host(api_host(host)));
  for (const auto& [host, file] : options.authorities) authorities_[plain_host(api_host(host))] = file;
}

bool Hosts::is_insecure(const std::string& host) const {
  if (insecure_.count(host) != 0) return true;
  return is_local(host) && authorities_.count(host) == 0;
}

void Hosts::set_trust(HttpRequest& request, const Url& url) const {
  request.insecure = is_insecure(url.host);
  const auto found = authorities_.find(url.host);
  if (found != authorities_.end()) request.authorities = found->second;
}

void Hosts::check_way(const Url& from, const Url& to) const {
  if (to.scheme == "https" || from.has_origin_of(to)) return;
  if (from.scheme == "http" && is_insecure(to.host)) return;
  throw Error(
      ErrorCode::unavailable,
      "the registry leads to " + shown(to.host) +
          " without TLS; have it give an address of https, or name that host as an insecure registry");
}

Url Hosts::base(const std::string& host, const std::stop_token& stop) {
  Url url{"https", plain_host(api_host(host)), "/"};
  if (!is_insecure(url.host)) return url;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = found_.find(url.host); found != found_.end()) return found->second;
  }
  for (const char* scheme : {"https", "http"}) {
    url.scheme = scheme;
    try {
      HttpRequest request;
      request.url = url.text() + "v2/";
      set_trust(request, url);
      Patience patience(options_.waits, stop);
      HttpTransfer transfer(std::move(request), patience);
      transfer.head();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unavailable || url.scheme == "http") throw;
      continue;  // then it may speak no TLS
    }
    break;
  }
  const std::lock_guard lock(mutex_);
  return found_[url.host] = url;
}

}  // namespace runner::registry
