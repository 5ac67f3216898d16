#pragma once
// A forge on a port of its own that knows one repository, "team/shop", and one token. What it is asked is
// held against its API as documented; what does not fit is a complaint. Any thread.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/fd.h"
#include "runner/forge/forge.h"
#include "runner/http/message.h"
#include "runner/http/server.h"

namespace runner::test {

struct ToldStatus {
  std::string sha, name, state, description, target, ref;
};

/// "name: state", for comparisons.
std::string brief(const ToldStatus& told);

struct ForgeReply {
  int status = 200;
  std::map<std::string, std::string> fields;
  std::string body;
};

class FakeForge {
 public:
  static constexpr const char* kToken = "forge-secret-7f3a";

  explicit FakeForge(forge::ForgeKind kind);
  FakeForge(const FakeForge&) = delete;
  FakeForge& operator=(const FakeForge&) = delete;

  /// For `forge_api`.
  std::string api() const;
  forge::ForgeKind kind() const { return kind_; }

  /// The next requests are answered so, one each; those after them as a forge does.
  void answer_next(const std::vector<ForgeReply>& answers);
  /// All of them until it is called with nullptr.
  void answer_all(std::function<ForgeReply()> answer);
  /// Connections are refused until start(); the port stays its own.
  void stop();
  void start();
  /// "GET PATH" below the API gets this body.
  void have(const std::string& path, std::string json);

  /// What was taken, in order.
  std::vector<ToldStatus> told() const;
  /// By name: the last one of this commit.
  std::map<std::string, std::string> last_of(const std::string& sha) const;
  std::size_t requests() const;
  /// What did not fit the API.
  std::vector<std::string> complaints() const;
  /// Waits until it is so, asked after each request and now and then. False after a minute.
  bool wait_until(const std::function<bool()>& is_so);

 private:
  ForgeReply answer(const http::Request& request);
  ForgeReply take_status(const http::Request& request);
  void complain(const std::string& what);

  const forge::ForgeKind kind_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ForgeReply> next_;
  std::function<ForgeReply()> always_;
  std::map<std::string, std::string> documents_;
  std::vector<ToldStatus> told_;
  std::map<std::pair<std::string, std::string>, std::string> states_;  // of GitLab: by commit and name
  std::vector<std::string> complaints_;
  std::size_t requests_ = 0;
  std::uint16_t port_ = 0;
  UniqueFd place_;                        // holds the port
  std::unique_ptr<http::Server> server_;  // last: its threads use the others
};

/// An answer with this status and fields.
ForgeReply forge_answer(int status, const std::map<std::string, std::string>& fields = {},
                        const std::string& body = R"({"message":"no"})");

}  // namespace runner::test
