#pragma once
// Conversations with a container engine over its socket: Docker's Engine API, which Podman speaks as well
// (`podman system service`). Each call is one request and its answer; bodies are JSON texts. Any thread.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/patience.h"

namespace runner::executors {

/// One request.
struct EngineCall {
  std::string method;                    // "GET", "POST", "DELETE"
  std::string target;                    // path and query without the version: "/containers/x/start"
  std::string body = {};                 // JSON; "" = none
  std::vector<std::string> fields = {};  // more lines of the head: "Name: value"
};

struct EngineAnswer {
  long status = 0;
  std::string body;
  std::map<std::string, std::string> fields = {};  // of the head; names in lower case

  bool ok() const noexcept { return status >= 200 && status < 300; }
  /// What the engine says went wrong; one line, valid UTF-8, of bounded length.
  std::string message() const;
};

/// What answers at a socket.
struct EngineVersion {
  std::string name;  // "Docker 20.10.24", "Podman 4.3.1"
  std::string api;   // the version that both sides speak: "1.41"
  bool podman = false;
};

class EngineApi {
 public:
  /// `api` and `podman`: what was agreed on earlier; "" asks for the engine's own version.
  explicit EngineApi(std::filesystem::path socket, std::string api = {}, bool podman = false);

  /// Asks what answers and agrees on a version for all later calls. Throws Error{unavailable} with the mend
  /// when there is no engine, we may not talk to it, or it is too old.
  EngineVersion agree(std::stop_token stop = {});

  /// Waits for the whole answer, whatever its status. Throws Error: unavailable (no engine, or it went away),
  /// timeout, cancelled; corrupt for an answer of more than 16 MiB.
  EngineAnswer call(const EngineCall& call, const Waits& waits, std::stop_token stop = {}) const;
  /// With the ordinary patience: two minutes without a byte.
  EngineAnswer call(const EngineCall& call, std::stop_token stop = {}) const;
  /// The body of an answer that must be good. Throws Error "cannot <what>: <the engine's words>" otherwise,
  /// its code by the status.
  std::string expect(const EngineCall& call, std::string_view what, std::stop_token stop = {}) const;

  /// Passes the body of a good answer on as it comes, after `begun` was called; a bad one comes back.
  EngineAnswer stream(const EngineCall& call, const Waits& waits, const std::function<void()>& begun,
                      const std::function<void(std::string_view)>& take, std::stop_token stop = {}) const;

  const std::filesystem::path& socket() const noexcept { return socket_; }
  const std::string& api() const noexcept { return api_; }
  /// Known once it was agreed on.
  bool podman() const noexcept { return podman_; }
  /// For calls of Podman's own API, whose paths begin with "/libpod"; it answers beside Docker's.
  EngineApi of_podman() const;

 private:
  std::filesystem::path socket_;
  std::string api_;
  bool podman_ = false;
};

/// A connection of its own. Throws Error{unavailable} that names what is in the way and its mend.
UniqueFd connect_to_engine(const std::filesystem::path& socket);

/// Throws "cannot <what>: ..." for an answer that is not good. 400: invalid_input, 401 and 403:
/// invalid_input, 404: not_found, 409: conflict, anything else: unavailable.
[[noreturn]] void throw_engine_error(const EngineAnswer& answer, std::string_view what);

}  // namespace runner::executors
