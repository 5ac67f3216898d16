#include "tests/http/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::http::testing {
namespace {

constexpr int kPatience = 20'000;  // ms: nothing waits so long unless it is broken

UniqueFd open_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("cannot make a socket");
  return fd;
}

template <typename Address>
void connect_to(int fd, const Address& address) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("cannot connect");
}

}  // namespace

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

bool wait_readable(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&wanted, 1, kPatience);
  while (ready < 0 && errno == EINTR);
  return ready == 1;
}

Client Client::tcp(std::uint16_t port, const std::string& address, int receive_buffer) {
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    UniqueFd fd = open_socket(AF_INET6);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    connect_to(fd.get(), v6);
    return Client(std::move(fd));
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
  UniqueFd fd = open_socket(AF_INET);
  if (receive_buffer > 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  connect_to(fd.get(), v4);
  return Client(std::move(fd));
}

Client Client::unix_socket(const std::filesystem::path& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.string().copy(name.sun_path, sizeof name.sun_path - 1);
  UniqueFd fd = open_socket(AF_UNIX);
  connect_to(fd.get(), name);
  return Client(std::move(fd));
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Client::half_close() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void Client::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.reset();
}

bool Client::fill() {
  std::array<char, 65536> piece{};
  for (;;) {
    if (!wait_readable(fd_.get())) {
      ADD_FAILURE() << "nothing came in time";
      return false;
    }
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
    return true;
  }
}

std::string Client::read_until(std::string_view mark) {
  std::size_t at = 0;
  while ((at = buffer_.find(mark)) == std::string::npos) {
    if (!fill()) return std::exchange(buffer_, {});
  }
  std::string text = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, text.size());
  return text;
}

std::string Client::read_bytes(std::size_t count) {
  while (buffer_.size() < count && fill()) {
  }
  std::string text = buffer_.substr(0, count);
  buffer_.erase(0, text.size());
  return text;
}

std::string Client::read_all() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

bool Client::ends() {
  return buffer_.empty() && !fill();
}

Answer Client::read_head() {
  Answer answer;
  const std::string head = read_until("\r\n\r\n");
  if (!head.starts_with("HTTP/1.1 ") || !head.ends_with("\r\n\r\n")) return answer;
  answer.status = static_cast<int>(parse_integer(std::string_view(head).substr(9, 3)).value_or(0));
  for (const std::string_view line : split(std::string_view(head), '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && !line.starts_with("HTTP/"))
      answer.headers[to_lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
  }
  return answer;
}

std::optional<std::string> Client::read_chunk() {
  const std::string head = read_until("\r\n");
  if (!head.ends_with("\r\n")) return {};
  const std::size_t size = std::strtoul(head.c_str(), nullptr, 16);
  std::string chunk = read_bytes(size + 2);
  if (chunk.size() != size + 2 || !chunk.ends_with("\r\n")) return {};
  chunk.resize(size);
  return chunk;
}

Answer Client::read_answer(bool head_only) {
  Answer answer = read_head();
  if (answer.status == 0 || head_only || answer.status == 204 || answer.status == 304 || answer.status == 100)
    return answer;
  if (answer.header("transfer-encoding") == "chunked") {
    for (;;) {
      const auto chunk = read_chunk();
      if (!chunk) {
        ADD_FAILURE() << "the last chunk is missing";
        return answer;
      }
      if (chunk->empty()) return answer;
      answer.body += *chunk;
    }
  }
  if (answer.headers.contains("content-length")) {
    const std::size_t size = std::strtoul(answer.header("content-length").c_str(), nullptr, 10);
    answer.body = read_bytes(size);
    EXPECT_EQ(answer.body.size(), size) << "the body was cut short";
  } else {
    answer.body = read_all();
  }
  return answer;
}

Ran run_command(const std::string& command) {
  Ran ran;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw_errno("cannot run a command");
  std::array<char, 65536> piece{};
  std::size_t got = 0;
  while ((got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0) ran.output.append(piece.data(), got);
  const int status = ::pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

}  // namespace runner::http::testing
