#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>

#include "runner/base/error.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Client;
using testing::get;
using ListenTest = testing::ServerTest;

TEST_F(ListenTest, TakesIpv6Too) {
  start({.tcp = {{.address = "127.0.0.1", .port = 0}, {.address = "::1", .port = 0}}});
  Client client = Client::tcp(server->port(1), "::1");
  client.send(get("/peer"));
  EXPECT_EQ(client.read_answer().body, "::1");
  EXPECT_EQ(ask(get("/peer")).body, "127.0.0.1");
}

TEST_F(ListenTest, SaysThatAPortIsTaken) {
  start();
  ServerOptions options;
  options.tcp.push_back({.address = "127.0.0.1", .port = server->port()});
  EXPECT_THROW(Server(options, Router()), Error);
  options.tcp[0].address = "localhost";
  EXPECT_THROW(Server(options, Router()), Error);
}

/// While it lives, this process may open as many descriptors more as it says.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const UniqueFd lowest_free(::dup(STDIN_FILENO));
    const rlimit few{static_cast<rlim_t>(lowest_free.get()) + more, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

std::chrono::nanoseconds processor_time() {
  timespec used{};
  EXPECT_EQ(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

TEST_F(ListenTest, WaitsForDescriptorsWithoutABusyLoop) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the checks of virtual calls in this build need descriptors of their own";
#endif
  start();
  EXPECT_EQ(ask(get("/fast")).body, "fast");
  ASSERT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  std::optional<FewDescriptors> limit(std::in_place, 1);
  Client client = connect();  // takes the last one
  client.send(get("/fast"));
  const auto before = processor_time();
  pollfd wanted{client.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&wanted, 1, 500), 0) << "it was accepted";
  EXPECT_LT(processor_time() - before, std::chrono::milliseconds(250));
  limit.reset();
  EXPECT_EQ(client.read_answer().body, "fast");
}

}  // namespace
}  // namespace runner::http
