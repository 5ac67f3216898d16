#include "deployments/balancers/runtime_socket.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "deployments/pause.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::size_t kLongestAnswer = 16U << 20U;

/// A conversation with one balancer.
class Conversation {
 public:
  Conversation(const std::string& socket, std::chrono::milliseconds timeout, const std::stop_token& stop)
      : shown_("HAProxy at " + in_quotes(socket)), until_(Steady::now() + timeout), stop_(stop) {
    if (socket.find('/') != std::string::npos) {
      connect_path(socket);
    } else {
      connect_port(socket);
    }
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(put));
      } else if (errno == EAGAIN) {
        wait(POLLOUT);
      } else if (errno != EINTR) {
        fail(errno, "hung up");
      }
    }
  }

  std::string read_all() {
    std::string answer;
    std::array<char, 16384> piece{};
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
      if (got == 0) break;
      if (got > 0) {
        answer.append(piece.data(), static_cast<std::size_t>(got));
        if (answer.size() > kLongestAnswer)
          throw Error(ErrorCode::corrupt, shown_ + " answers more than 16 MiB; is that socket HAProxy's?");
      } else if (errno == EAGAIN) {
        wait(POLLIN);
      } else if (errno != EINTR) {
        fail(errno, "hung up in the middle of its answer");
      }
    }
    if (answer.empty() || answer.back() != '\n')
      throw Error(ErrorCode::unavailable,
                  shown_ + " ended in the middle of its answer; see whether it still runs, then try again");
    return answer;
  }

 private:
  [[noreturn]] void fail(int error, const std::string& what) const {
    throw Error(ErrorCode::unavailable, shown_ + " " + what + ": " + std::generic_category().message(error) +
                                            "; see that it runs, and that its configuration has 'stats "
                                            "socket' there with 'level admin'");
  }

  void wait(short events) const {
    if (!wait_for_fd(fd_.get(), events, until_, stop_))
      throw Error(ErrorCode::timeout, shown_ + " does not answer; see whether it hangs");
  }

  void connect_path(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
      throw Error(ErrorCode::invalid_input, "the path of a socket takes at most " +
                                                std::to_string(sizeof address.sun_path - 1) +
                                                " bytes: " + in_quotes(path));
    path.copy(address.sun_path, path.size());
    connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  void connect_port(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), text.substr(colon + 1).c_str(), &hints, &found);
    if (error != 0) throw Error(ErrorCode::unavailable, shown_ + " has no address: " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      try {
        return connect(one->ai_family, one->ai_addr, one->ai_addrlen);
      } catch (const Error& e) {
        if (one->ai_next == nullptr || e.code() == ErrorCode::cancelled) throw;
      }
    }
  }

  void connect(int family, const sockaddr* address, socklen_t size) {
    fd_.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) throw_errno("cannot make a socket");
    int result = 0;
    do result = ::connect(fd_.get(), address, size);
    while (result != 0 && errno == EINTR);
    if (result == 0) return;
    // A unix socket whose queue is full says EAGAIN, and cannot be waited for.
    if (errno != EINPROGRESS) fail(errno, "cannot be reached");
    wait(POLLOUT);
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
      fail(error, "cannot be reached");
  }

  std::string shown_;
  Steady::time_point until_;
  const std::stop_token& stop_;
  UniqueFd fd_;
};

}  // namespace

std::string ask_runtime_socket(const std::string& socket, const std::string& command,
                               std::chrono::milliseconds timeout, const std::stop_token& stop) {
  Conversation conversation(socket, timeout, stop);
  conversation.write(command + "\n");
  return conversation.read_all();
}

}  // namespace runner::deployments
