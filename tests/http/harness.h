#pragma once
// A server with a few handlers, on a port of its own.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "runner/base/files.h"
#include "runner/http/server.h"
#include "tests/http/client.h"

namespace runner::http::testing {

/// Closed until open() is called; who passes waits for that.
class Gate {
 public:
  void open();
  void pass();
  /// Until so many wait.
  bool wait_for(int count);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

/// Handlers: GET /hello; POST /echo (the body back; up to 8 MiB: PUT /big); GET /fast (in the reactor); GET
/// /wait (until `gate`); GET /fail?how=; GET /file (`file`); GET /parts/{name}; GET /peer; GET /stream
/// (`streams`); GET /bad-header.
struct ServerTest : ::testing::Test {
  ServerTest();
  ~ServerTest() override;

  /// With one plain listener on 127.0.0.1, unless options has others.
  void start(ServerOptions options = {});
  Client connect() const { return Client::tcp(server->port()); }
  /// One request on a connection of its own.
  Answer ask(const std::string& request) const;
  /// The handle of the nth stream that was asked for.
  StreamHandle stream(std::size_t index);
  std::vector<AccessRecord> records();
  /// Until there are so many.
  std::vector<AccessRecord> wait_for_records(std::size_t count);
  /// Until `holds`, asked now and then.
  static bool eventually(const std::function<bool()>& holds);

  TempDir directory{"http-test-"};
  std::filesystem::path file = directory.path() / "file";
  StreamOptions stream_options;
  Gate gate;
  Router router;
  std::unique_ptr<Server> server;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StreamHandle> streams_;
  std::vector<AccessRecord> records_;
};

std::string get(const std::string& target, const std::string& fields = {});
std::string post(const std::string& target, const std::string& body, const std::string& fields = {});

}  // namespace runner::http::testing
