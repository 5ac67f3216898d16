#pragma once
// Servers for the commands that talk to one: with answers that a test says, and a record of what was asked.

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runner/base/fd.h"
#include "runner/http/server.h"

namespace runner::cli {

struct Asked {
  std::string what;  // "GET /projects?limit=100", below /api/v1
  std::string token, last_event_id, body;
};

/// HTTP as the real server speaks it, on DATA/runner.sock and on a TCP port. Any thread.
class FakeServer {
 public:
  using Answer = std::function<http::Response(const http::Request&)>;

  explicit FakeServer(const std::filesystem::path& data, std::optional<http::TlsFiles> tls = {});

  /// "GET /projects" is answered like this from now on; anything else with 404.
  void on(const std::string& what, Answer answer);
  void on(const std::string& what, int status, const std::string& json);
  /// One after another, the last one again and again.
  void on_each(const std::string& what, std::vector<std::string> bodies);

  std::string url() const;
  std::vector<Asked> asked() const;
  /// The bodies or the whats of all requests.
  std::vector<std::string> asked_what() const;
  std::string last_body() const;

 private:
  http::Response answer(const http::Request& request);

  mutable std::mutex mutex_;  // of the next two
  std::map<std::string, Answer> answers_;
  std::vector<Asked> asked_;
  bool tls_;
  std::unique_ptr<http::Server> server_;  // last: its threads use the others
};

/// An event stream with these bytes. `cut`: then the connection breaks off, in the midst of the answer.
http::Response event_stream(const std::string& bytes, bool cut);

/// A server of one thread that speaks no HTTP of its own: each connection is answered with the next of
/// `replies` once it has sent a request, and closed; those after the last likewise with the last.
class RawServer {
 public:
  explicit RawServer(std::vector<std::string> replies);
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer();
  std::string url() const;
  int connections() const { return connections_; }

 private:
  void serve();
  void talk(int connection, const std::string& reply) const;

  std::vector<std::string> replies_;
  UniqueFd listener_;
  WakeUp stop_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace runner::cli
