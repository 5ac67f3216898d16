#include "runner/cli/container_engines.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds kPatience{1};
constexpr std::size_t kLongestAnswer = 64 << 10;
// HTTP/1.0: the answer comes in one piece and ends with the connection.
constexpr std::string_view kQuestion = "GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool wait_for(int fd, short events, SteadyTime deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wanted{fd, events, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = ETIMEDOUT;
    return ready > 0;
  }
}

UniqueFd connect_to(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

/// The whole answer; empty with errno when there was none.
std::string ask(const fs::path& socket) {
  const UniqueFd fd = connect_to(socket);
  if (!fd) return {};
  const SteadyTime deadline = std::chrono::steady_clock::now() + kPatience;
  if (::send(fd.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kQuestion.size()))
    return {};
  std::string answer;
  std::array<char, 4096> buffer{};
  while (answer.size() < kLongestAnswer) {
    if (!wait_for(fd.get(), POLLIN, deadline)) return {};
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return {};
    if (got == 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  errno = answer.empty() ? EPROTO : 0;
  return answer;
}

/// The field of an answer's head; "" when it is not there.
std::string_view field_of(std::string_view answer, std::string_view name) {
  const std::string_view head = answer.substr(0, answer.find("\r\n\r\n"));
  for (std::size_t begin = head.find("\r\n"); begin != std::string_view::npos;
       begin = head.find("\r\n", begin)) {
    begin += 2;
    const std::string_view line = head.substr(begin, head.find("\r\n", begin) - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && to_lower(line.substr(0, colon)) == name)
      return trim(line.substr(colon + 1));
  }
  return {};
}

/// By what engines answer to a ping, which takes them no time: "Server: Docker/20.10.24 (linux)",
/// "Server: Libpod/4.3.1 (linux)".
void ask_version(ContainerEngine& engine) {
  const std::string answer = ask(engine.socket);
  if (answer.empty()) {
    engine.why_not = std::strerror(errno);
    return;
  }
  const std::string_view server = field_of(answer, "server");
  const std::size_t slash = server.find('/');
  if (slash == std::string_view::npos) {
    engine.why_not = "it tells no version";
    return;
  }
  if (server.substr(0, slash) == "Libpod") engine.name = "podman";
  if (server.substr(0, slash) == "Docker") engine.name = "docker";
  engine.version = server.substr(slash + 1, server.find(' ', slash) - slash - 1);
}

}  // namespace

std::vector<ContainerEngine> look_at_container_engine(const fs::path& socket) {
  std::error_code error;
  const fs::path real = fs::canonical(socket, error);
  if (error || !fs::is_socket(real, error)) return {};
  const std::string file = real.filename().native();
  ContainerEngine engine{file.find("podman") != std::string::npos ? "podman" : "docker", real, {}, {}};
  ask_version(engine);
  return {engine};
}

std::vector<ContainerEngine> find_container_engines() {
  std::vector<ContainerEngine> found;
  const auto look = [&](std::string_view name, const fs::path& socket) {
    std::error_code error;
    const fs::path real = fs::canonical(socket, error);
    if (error || !fs::is_socket(real, error)) return;
    for (const ContainerEngine& known : found)
      if (known.socket == real) return;
    ask_version(found.emplace_back(ContainerEngine{std::string(name), real, {}, {}}));
  };
  const auto look_at_address = [&](std::string_view name, const std::string& address) {
    constexpr std::string_view kScheme = "unix://";
    if (address.starts_with(kScheme)) look(name, address.substr(kScheme.size()));
  };
  look_at_address("docker", variable("DOCKER_HOST"));
  look_at_address("podman", variable("CONTAINER_HOST"));
  look("docker", "/var/run/docker.sock");
  look("podman", "/run/podman/podman.sock");
  if (const std::string own = variable("XDG_RUNTIME_DIR"); !own.empty()) {
    look("docker", fs::path(own) / "docker.sock");
    look("podman", fs::path(own) / "podman/podman.sock");
  }
  return found;
}

}  // namespace runner::cli
