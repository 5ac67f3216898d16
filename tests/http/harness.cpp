#include "tests/http/harness.h"

#include <poll.h>

#include <stdexcept>

#include "runner/base/error.h"

namespace runner::http::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

Response fail(const Request& request) {
  const std::string* how = request.query_value("how");
  if (how == nullptr) throw 1;
  if (*how == "input") throw Error(ErrorCode::invalid_input, "'x' is no number");
  if (*how == "busy") throw Error(ErrorCode::unavailable, "database /var/lib/secret is busy");
  throw std::runtime_error("the insides at /var/lib/secret");
}

Response peer(const Request& request) {
  const auto& credentials = request.peer.credentials;
  return text_response(200, credentials
                                ? std::to_string(credentials->uid) + " " + std::to_string(credentials->pid)
                                : request.peer.address + (request.peer.tls ? " tls" : ""));
}

Response echo(const Request& request) {
  return text_response(200, request.body);
}

}  // namespace

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void Gate::pass() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return open_; });
  --waiting_;
}

bool Gate::wait_for(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return waiting_ >= count; });
}

ServerTest::ServerTest() {
  router.add({"GET", "/hello", "hello", [](const Request&) { return text_response(200, "hello\n"); }});
  router.add({"GET", "/fast", "fast", [](const Request&) { return text_response(200, "fast"); }, {}, true});
  router.add({"POST", "/echo", "echo", echo});
  router.add({"PUT", "/big", "big", echo, 8U << 20U});
  router.add({"GET", "/fail", "fail", fail});
  router.add({"GET", "/peer", "peer", peer});
  router.add({"GET", "/parts/{name}", "part",
              [](const Request& request) { return text_response(200, *request.parameter("name")); }});
  router.add({"GET", "/wait", "wait", [this](const Request&) {
                gate.pass();
                return text_response(200, "waited");
              }});
  router.add({"GET", "/file", "file", [this](const Request&) {
                Response response;
                response.body = FileBody{.fd = {}, .path = file, .offset = 0, .length = {}};
                return response;
              }});
  router.add({"GET", "/stream", "stream", [this](const Request&) {
                auto [handle, body] = make_stream(stream_options);
                {
                  const std::lock_guard lock(mutex_);
                  streams_.push_back(handle);
                }
                changed_.notify_all();
                return stream_response(std::move(body));
              }});
  router.add({"GET", "/bad-header", "bad_header", [](const Request&) {
                Response response = text_response(200, "x");
                response.headers.add("X-Bad", "a\r\nSet-Cookie: b");
                return response;
              }});
}

ServerTest::~ServerTest() {
  gate.open();
  server.reset();
}

void ServerTest::start(ServerOptions options) {
  if (options.tcp.empty() && options.unix_sockets.empty()) options.tcp.push_back({});
  options.access_log = [this](const AccessRecord& record) {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
    changed_.notify_all();
  };
  server = std::make_unique<Server>(std::move(options), std::move(router));
  server->start();
}

Answer ServerTest::ask(const std::string& request) const {
  Client client = connect();
  client.send(request);
  return client.read_answer(request.starts_with("HEAD "));
}

StreamHandle ServerTest::stream(std::size_t index) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [&] { return streams_.size() > index; }))
    throw std::runtime_error("nobody asked for the stream");
  return streams_[index];
}

std::vector<AccessRecord> ServerTest::records() {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::vector<AccessRecord> ServerTest::wait_for_records(std::size_t count) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return records_.size() >= count; }));
  return records_;
}

bool ServerTest::eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

std::string get(const std::string& target, const std::string& fields) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

std::string post(const std::string& target, const std::string& body, const std::string& fields) {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace runner::http::testing
