#pragma once
// A scripted server as a registry that a client on this machine finds.

#include <string>
#include <utility>

#include "registry/reference.h"
#include "tests/support/scripted_server.h"

namespace runner::registry::testing {

/// Answers "/v2/", by which a client finds out whether TLS is spoken; the rest is the test's.
inline test::ScriptedServer::Handler after_probe(test::ScriptedServer::Handler handler) {
  return [handler = std::move(handler)](const test::ScriptedRequest& request, test::ScriptedReply& reply) {
    if (request.target == "/v2/") {
      reply.send(test::scripted_answer(200, "{}"));
    } else {
      handler(request, reply);
    }
  };
}

inline Reference app(const test::ScriptedServer& server, const std::string& rest = "app:1") {
  return parse_reference(server.host() + '/' + rest);
}

}  // namespace runner::registry::testing
