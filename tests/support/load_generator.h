#pragma once
// Clients that ask an HTTP/1.1 server over and over and count every answer they do not get. Unlike the usual
// load generators they never ask again, as no browser does for a POST: a request that got no answer, or none
// below 500, was a failure that somebody saw.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace runner::test {

struct Load {
  std::uint16_t port = 0;  // on loopback
  std::string path = "/";
  unsigned clients = 8;                        // connections that are kept alive, each with a thread
  std::uint64_t most = 200'000;                // requests
  std::chrono::microseconds pause{500};        // of a client between an answer and its next request
  std::chrono::milliseconds patience{10'000};  // for an answer
};

struct Failure {
  std::uint64_t number = 0;  // of the request, in the order of sending
  std::string method;
  std::string kind;  // "status 503", "refused", "cut", "timeout", "nonsense"
};

struct Counts {
  std::uint64_t sent = 0, ok = 0, failed = 0;
  std::uint64_t cut = 0;      // the connection ended without an answer, or in the middle of it
  std::uint64_t refused = 0;  // no connection
  std::map<int, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t> by_version;  // of what was fine: header X-Version, or "version=..."
  std::vector<Failure> first_failures;              // some of them

  /// For messages of tests.
  std::string text() const;
};

/// Every second request is a POST.
class LoadGenerator {
 public:
  explicit LoadGenerator(Load load);
  ~LoadGenerator();
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;

  Counts counts() const;
  /// Blocks until it says so of the counts. Throws Error{timeout} with them after 30 s.
  void wait_until(const std::function<bool(const Counts&)>& says_so) const;
  /// Until `more` further requests have been answered well.
  void wait_for_ok(std::uint64_t more) const;
  /// Ends what is under way and gives the counts.
  Counts stop();

 private:
  void be_client();
  void note(const std::string& method, std::uint64_t number, int status, const std::string& version,
            const std::string& failure);

  Load load_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> next_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Counts counts_;
  std::vector<std::thread> threads_;
};

}  // namespace runner::test
