#include "tests/cli/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::cli {
namespace {

constexpr std::string_view kBase = "/api/v1";

std::string header(const http::Request& request, std::string_view name) {
  const std::string* value = request.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

std::string what_of(const http::Request& request) {
  std::string what = request.method + " " + request.path.substr(std::min(kBase.size(), request.path.size()));
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    what += separator + name + "=" + value;
    separator = '&';
  }
  return what;
}

}  // namespace

FakeServer::FakeServer(const std::filesystem::path& data, std::optional<http::TlsFiles> tls)
    : tls_(tls.has_value()) {
  make_directories(data);
  http::ServerOptions options;
  options.tcp.push_back({.address = "127.0.0.1", .port = 0, .tls = std::move(tls)});
  options.unix_sockets.push_back({.path = data / "runner.sock"});
  http::Router router;
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    router.add({method, "/{path...}", std::string("any_") + method,
                [this](const http::Request& request) { return answer(request); }});
  }
  server_ = std::make_unique<http::Server>(std::move(options), std::move(router));
  server_->start();
}

void FakeServer::on(const std::string& what, Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_[what] = std::move(answer);
}

void FakeServer::on(const std::string& what, int status, const std::string& json) {
  const std::string type = status < 400 ? "application/json" : "application/problem+json";
  on(what, [=](const http::Request&) { return http::text_response(status, json, type); });
}

void FakeServer::on_each(const std::string& what, std::vector<std::string> bodies) {
  auto next = std::make_shared<std::atomic<std::size_t>>(0);
  on(what, [=](const http::Request&) {
    return http::text_response(200, bodies[std::min(next->fetch_add(1), bodies.size() - 1)],
                               "application/json");
  });
}

http::Response FakeServer::answer(const http::Request& request) {
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(
        {what_of(request), header(request, "authorization"), header(request, "last-event-id"), request.body});
    const auto found = answers_.find(request.method + " " + request.path.substr(kBase.size()));
    if (found != answers_.end()) answer = found->second;
  }
  if (answer) return answer(request);
  return http::text_response(404, R"({"title":"Not Found","status":404,"detail":"there is no such thing"})",
                             "application/problem+json");
}

std::string FakeServer::url() const {
  return (tls_ ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(server_->port());
}

std::vector<Asked> FakeServer::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::vector<std::string> FakeServer::asked_what() const {
  std::vector<std::string> out;
  for (const Asked& one : asked()) out.push_back(one.what);
  return out;
}

std::string FakeServer::last_body() const {
  const std::vector<Asked> all = asked();
  return all.empty() ? std::string() : all.back().body;
}

http::Response event_stream(const std::string& bytes, bool cut) {
  auto [handle, body] =
      http::make_stream({.buffer_bytes = std::max<std::size_t>(bytes.size(), 1), .events = true});
  if (cut) {
    // Once all has been taken: more than there is room for disconnects the reader.
    handle.on_room(
        [handle = handle, size = bytes.size()]() mutable { handle.write(std::string(size + 1, 'x')); });
    handle.write(bytes);
  } else {
    handle.write(bytes);
    handle.close();
  }
  return http::stream_response(std::move(body));
}

RawServer::RawServer(std::vector<std::string> replies)
    : replies_(std::move(replies)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 8) != 0) {
    throw_errno("cannot listen");
  }
  thread_ = std::thread([this] { serve(); });
}

RawServer::~RawServer() {
  stop_.signal();
  thread_.join();
}

std::string RawServer::url() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw_errno("no name");
  return "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

void RawServer::serve() {
  for (;;) {
    pollfd wait[2]{{listener_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    if ((wait[0].revents & POLLIN) == 0) continue;
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    const auto index = static_cast<std::size_t>(connections_++);
    talk(connection.get(), replies_[std::min(index, replies_.size() - 1)]);
  }
}

void RawServer::talk(int connection, const std::string& reply) const {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    request.append(buffer, static_cast<std::size_t>(got));
  }
  std::string_view rest = reply;
  while (!rest.empty()) {
    const ssize_t sent = ::send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace runner::cli
