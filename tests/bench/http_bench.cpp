// A server with one trivial handler, for http_bench.py: prints its port, and answers until its input ends.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "runner/http/server.h"

int main() {
  using namespace runner::http;
  Router router;
  const auto hello = [](const Request&) { return text_response(200, "hello\n"); };
  router.add({"GET", "/hello", "hello", hello});
  router.add({"GET", "/fast", "fast", hello, {}, true});
  ServerOptions options;
  options.tcp.push_back({});
  options.handler_threads = 2;
  Server server(std::move(options), std::move(router));
  server.start();
  fmt::print("{}\n", server.port());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return server.stop(std::chrono::seconds(1)) ? 0 : 1;
}
