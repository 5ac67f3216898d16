#pragma once
// Requests to registries, with what they show of us, and the ways they lead. Internal to this folder. Any
// thread.

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "registry/answer.h"
#include "registry/authorizer.h"
#include "registry/hosts.h"

namespace runner::registry {

struct Call {
  Reference image;                       // whose registry it is, and whose login
  std::string method = "GET";            // GET and HEAD follow redirects
  std::string target;                    // below "/v2/": "library/alpine/tags/list"
  std::optional<Url> url;                // in place of `target`: where the registry led
  std::string actions = "pull";          // on the repository of `image`
  std::vector<std::string> more_scopes;  // "repository:other:pull"
  std::vector<std::string> fields;
  std::string body;
  HttpSource source;  // can be rewound
};

class Channel {
 public:
  /// All outlive it.
  Channel(const Logins& logins, const ClientOptions& options, const Clock& clock);

  /// Sends it once: again only with a login when the registry asks for one, and on to where it redirects.
  /// Credentials go to the host that the image names. Any status is an answer. Throws Error.
  Answer send(const Call& call, const std::stop_token& stop);
  /// The same for an answer with one of these statuses; others are refused as Answer::refuse() says.
  Answer expect(const Call& call, std::initializer_list<long> statuses, const std::stop_token& stop);

 private:
  const ClientOptions& options_;
  Hosts hosts_;
  Authorizer authorizer_;
};

}  // namespace runner::registry
