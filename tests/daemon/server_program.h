#pragma once
// The built program as `runner serve`, in a process of its own: asked as its users and its forges ask it.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/http/client.h"

namespace runner::test {

struct ProgramEnd {
  int code = -1;    // 128 + signal when it was killed
  std::string err;  // of all starts
};

class ServerProgram {
 public:
  /// Nothing is started yet. The directory is made by the server.
  explicit ServerProgram(std::filesystem::path data);
  ServerProgram(const ServerProgram&) = delete;
  ServerProgram& operator=(const ServerProgram&) = delete;
  /// Kills it.
  ~ServerProgram();

  // Set before start().
  std::vector<std::string> options;      // more words after `runner serve`
  std::vector<std::string> environment;  // more of "NAME=value"
  std::chrono::seconds patience{60};     // of those that wait

  /// Returns when it answers; throws, with what it said, when it ended instead.
  void start();
  /// For a start that is to fail: its end.
  ProgramEnd start_in_vain();
  /// SIGTERM, and its end.
  ProgramEnd stop();
  void kill();
  bool running() const noexcept { return pid_ > 0; }
  pid_t pid() const noexcept { return pid_; }
  std::uint16_t port() const noexcept { return port_; }
  const std::filesystem::path& data() const noexcept { return data_; }
  std::string said() const;

  // ---- asked by its socket: as an administrator
  http::testing::Answer ask(const std::string& method, const std::string& path) const;
  http::testing::Answer ask(const std::string& method, const std::string& path,
                            const nlohmann::json& body) const;
  /// Of a path below /api/v1. Throws when the answer is no success.
  nlohmann::json api(const std::string& method, const std::string& path) const;
  nlohmann::json api(const std::string& method, const std::string& path, const nlohmann::json& body) const;
  nlohmann::json get(const std::string& path) const;
  /// All pages of a list.
  std::vector<nlohmann::json> list(const std::string& path) const;
  /// What `runner WORDS` prints when it is told of this server.
  http::testing::Ran command(const std::string& words) const;

  /// One number of /metrics; `sample` as it stands there, with its labels. 0 when it is not there.
  double metric(const std::string& sample) const;
  /// Pipelines, oldest first, with their jobs.
  std::vector<nlohmann::json> pipelines() const;
  /// Waits until `is_so`. Throws, with what /healthz and the log say, when patience is over.
  void wait_until(const std::string& what, const std::function<bool()>& is_so) const;
  /// Waits for `count` pipelines that are all over; returns them.
  std::vector<nlohmann::json> wait_for(std::size_t count) const;
  std::string log_of(const nlohmann::json& job) const;

 private:
  void spawn();
  ProgramEnd wait();

  const std::filesystem::path data_;
  const std::filesystem::path err_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// A request as it goes over the wire; the body's length is told unless `fields` do.
std::string request_text(const std::string& method, const std::string& path, const std::string& fields,
                         std::string_view body);

}  // namespace runner::test
