#pragma once
// An HTTP server that answers with whatever bytes a test wants, well formed or not. Its port is its own.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::test {

struct ScriptedRequest {
  std::string method, target;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;                           // without chunk heads
  int connection = 0;                         // counted from 1

  /// "" when there is none.
  std::string field(const std::string& name) const;
};

/// The side of a connection that a handler talks to, on the thread of that connection.
class ScriptedReply {
 public:
  explicit ScriptedReply(int fd) : fd_(fd) {}
  /// False when the other side is gone.
  bool send(std::string_view bytes) const;
  /// Ends the connection after this answer.
  void close() { is_open_ = false; }
  /// Until the other side ends the connection, or the server does.
  void wait_for_end() const;
  bool is_open() const noexcept { return is_open_; }

 private:
  int fd_;
  bool is_open_ = true;
};

class ScriptedServer {
 public:
  /// Called for each request, on a thread of the connection.
  using Handler = std::function<void(const ScriptedRequest&, ScriptedReply&)>;

  /// Listens on 127.0.0.1, or on a socket file.
  explicit ScriptedServer(Handler handler, const std::filesystem::path& unix_socket = {});
  /// Ends all connections and waits for their handlers.
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const;
  /// "127.0.0.1:PORT".
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  /// All that were read so far, in order.
  std::vector<ScriptedRequest> requests() const;
  /// "METHOD TARGET" of each.
  std::vector<std::string> lines() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A whole answer with its length.
std::string scripted_answer(int status, std::string_view body = {},
                            const std::map<std::string, std::string>& fields = {});

}  // namespace runner::test
