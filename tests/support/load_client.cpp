#include "tests/support/load_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "runner/base/text.h"

namespace runner::test {
namespace {

/// The value of a header in a head in lower case; "" = none.
std::string_view value_of(std::string_view head, std::string_view name) {
  const std::string key = "\r\n" + std::string(name) + ":";
  const std::size_t at = head.find(key);
  if (at == std::string_view::npos) return {};
  head.remove_prefix(at + key.size());
  return trim(head.substr(0, head.find("\r\n")));
}

}  // namespace

bool LoadClient::connect() {
  buffer_.clear();
  fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval wait{static_cast<time_t>(patience_.count() / 1000),
                     static_cast<suseconds_t>(patience_.count() % 1000 * 1000)};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  fd_.reset();
  return false;
}

bool LoadClient::send(const std::string& request) const {
  std::string_view left = request;
  while (!left.empty()) {
    const ssize_t put = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

std::string LoadClient::read_more() {
  std::array<char, 8192> piece{};
  ssize_t got = 0;
  do got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) buffer_.append(piece.data(), static_cast<std::size_t>(got));
  if (got > 0) return "";
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? "timeout" : "cut";
}

LoadAnswer LoadClient::ask(const std::string& request) {
  LoadAnswer answer;
  if (!fd_ && !connect()) {
    answer.failure = "refused";
    return answer;
  }
  const auto fail = [&](const std::string& why) {
    answer.failure = why;
    fd_.reset();
    return answer;
  };
  if (!send(request)) return fail("cut");
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (const std::string why = read_more(); !why.empty()) return fail(why);
  const std::string head = to_lower(buffer_.substr(0, end + 2));
  const auto status = head.size() > 12 ? parse_integer(head.substr(9, 3)) : std::nullopt;
  const auto length = parse_integer(value_of(head, "content-length"));
  const bool closes = value_of(head, "connection") == "close" || head.rfind("http/1.0", 0) == 0;
  if (!status || head.rfind("http/1.", 0) != 0 || (!length && !closes)) return fail("nonsense");
  const std::size_t begin = end + 4;
  while (!length || buffer_.size() < begin + static_cast<std::size_t>(*length)) {
    const std::string why = read_more();
    if (why == "cut" && !length) break;  // its end is the connection's
    if (!why.empty()) return fail(why);
  }
  answer.status = static_cast<int>(*status);
  const std::string body = buffer_.substr(begin);
  answer.version = value_of(head, "x-version");
  if (const std::size_t at = body.find("version="); answer.version.empty() && at != std::string::npos)
    answer.version = body.substr(at + 8, body.find_first_of(" \r\n", at) - at - 8);
  buffer_.clear();
  if (closes) fd_.reset();
  return answer;
}

}  // namespace runner::test
