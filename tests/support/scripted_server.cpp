#include "tests/support/scripted_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::test {
namespace {

/// What arrives on one connection, request by request.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {}

  /// nullopt at the end, and for what greets by TLS.
  std::optional<ScriptedRequest> next() {
    const std::optional<std::string> head = until("\r\n\r\n");
    if (!head) return std::nullopt;
    ScriptedRequest request;
    bool is_first = true;
    for (const std::string_view line : split(*head, '\n')) {
      const std::size_t colon = line.find(':');
      if (std::exchange(is_first, false)) {
        const auto words = split_words(line);
        if (words.size() != 3) return std::nullopt;
        request.method = words[0];
        request.target = words[1];
      } else if (colon != std::string_view::npos) {
        request.fields[to_lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
      }
    }
    const bool is_whole =
        request.field("transfer-encoding") == "chunked"
            ? take_chunks(request.body)
            : take(parse_integer(request.field("content-length")).value_or(0), request.body);
    return is_whole ? std::optional(std::move(request)) : std::nullopt;
  }

 private:
  bool fill() {
    std::array<char, 65536> piece{};
    ssize_t got = 0;
    do got = ::recv(fd_, piece.data(), piece.size(), 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) buffer_.append(piece.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  std::optional<std::string> until(std::string_view mark) {
    std::size_t at = 0;
    while ((at = buffer_.find(mark)) == std::string::npos) {
      if (!fill() || buffer_.front() == '\x16') return std::nullopt;
    }
    std::string found = buffer_.substr(0, at);
    buffer_.erase(0, at + mark.size());
    return found;
  }
  bool take(std::int64_t size, std::string& into) {
    const auto count = static_cast<std::size_t>(size);
    while (buffer_.size() < count) {
      if (!fill()) return false;
    }
    into += buffer_.substr(0, count);
    buffer_.erase(0, count);
    return true;
  }
  bool take_chunks(std::string& into) {
    for (;;) {
      const std::optional<std::string> size = until("\r\n");
      if (!size) return false;
      const auto count = static_cast<std::int64_t>(std::stoull(*size, nullptr, 16));
      if (!take(count, into) || !until("\r\n")) return false;
      if (count == 0) return true;
    }
  }

  int fd_;
  std::string buffer_;
};

UniqueFd listen_on(const std::filesystem::path& unix_socket) {
  UniqueFd fd(::socket(unix_socket.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  unix_socket.string().copy(un.sun_path, sizeof un.sun_path - 1);
  const auto* address =
      unix_socket.empty() ? reinterpret_cast<sockaddr*>(&in) : reinterpret_cast<sockaddr*>(&un);
  const socklen_t size = unix_socket.empty() ? sizeof in : sizeof un;
  if (!fd || ::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0)
    throw_errno("cannot listen");
  return fd;
}

}  // namespace

struct ScriptedServer::Impl {
  Impl(Handler does, const std::filesystem::path& unix_socket)
      : handler(std::move(does)), listener(listen_on(unix_socket)), accepts([this] { accept_all(); }) {}
  ~Impl() {
    ::shutdown(listener.get(), SHUT_RDWR);
    accepts.join();
    {
      const std::lock_guard lock(mutex);
      for (const UniqueFd& fd : connections) ::shutdown(fd.get(), SHUT_RDWR);
    }
    for (std::thread& thread : threads) thread.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void accept_all() {
    for (int number = 1;; ++number) {
      UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      const std::lock_guard lock(mutex);
      const int raw = connections.emplace_back(std::move(fd)).get();
      threads.emplace_back([this, raw, number] { serve(raw, number); });
    }
  }

  /// The descriptor stays open until the end, so that its number is nobody else's.
  void serve(int fd, int number) {
    Reader reader(fd);
    for (bool is_open = true; is_open;) {
      std::optional<ScriptedRequest> request = reader.next();
      if (!request) break;
      request->connection = number;
      {
        const std::lock_guard lock(mutex);
        requests.push_back(*request);
      }
      ScriptedReply reply(fd);
      handler(*request, reply);
      is_open = reply.is_open();
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  Handler handler;
  UniqueFd listener;
  mutable std::mutex mutex;
  std::list<UniqueFd> connections;
  std::vector<std::thread> threads;  // of the accepting thread, until it has ended
  std::vector<ScriptedRequest> requests;
  std::thread accepts;  // last: uses the others
};

std::string ScriptedRequest::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

bool ScriptedReply::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void ScriptedReply::wait_for_end() const {
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  do got = ::recv(fd_, piece.data(), piece.size(), 0);
  while (got > 0 || (got < 0 && errno == EINTR));
}

ScriptedServer::ScriptedServer(Handler handler, const std::filesystem::path& unix_socket)
    : impl_(std::make_unique<Impl>(std::move(handler), unix_socket)) {}
ScriptedServer::~ScriptedServer() = default;

std::uint16_t ScriptedServer::port() const {
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(impl_->listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.sin_port);
}

std::vector<ScriptedRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::vector<std::string> ScriptedServer::lines() const {
  std::vector<std::string> all;
  for (const ScriptedRequest& request : requests()) all.push_back(request.method + ' ' + request.target);
  return all;
}

std::string scripted_answer(int status, std::string_view body,
                            const std::map<std::string, std::string>& fields) {
  std::string answer = "HTTP/1.1 " + std::to_string(status) + " x\r\n";
  for (const auto& [name, value] : fields) answer += name + ": " + value + "\r\n";
  if (fields.count("Content-Length") == 0)
    answer += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return answer + "\r\n" + std::string(body);
}

}  // namespace runner::test
