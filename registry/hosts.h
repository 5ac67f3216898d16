#pragma once
// How the hosts of a client are reached: by TLS, whom it trusts there, or in the clear. Internal to this
// folder. Any thread.

#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "registry/client_options.h"
#include "registry/url.h"
#include "runner/base/http_transfer.h"

namespace runner::registry {

class Hosts {
 public:
  /// `options` outlives it.
  explicit Hosts(const ClientOptions& options);

  /// "https://host/", or "http://host/" where that may be and no TLS is spoken, which is found out once by
  /// asking, without credentials. `host` as in names of images. Blocks then. Throws Error.
  Url base(const std::string& host, const std::stop_token& stop);
  /// Sets whom a request to `url` trusts.
  void set_trust(HttpRequest& request, const Url& url) const;
  /// Throws Error{unavailable} when a request to `from` may not lead on to `to`: from TLS into the clear, or
  /// in the clear to a host that is not named.
  void check_way(const Url& from, const Url& to) const;

 private:
  bool is_insecure(const std::string& host) const;

  const ClientOptions& options_;
  std::set<std::string> insecure_;
  std::map<std::string, std::filesystem::path> authorities_;
  std::mutex mutex_;
  std::map<std::string, Url> found_;
};

}  // namespace runner::registry
