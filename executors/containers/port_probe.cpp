#include "executors/containers/port_probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

constexpr int kConnectMs = 500;

bool is_in_container(const std::string& process, std::string_view container_id) {
  try {
    const auto groups = read_file("/proc/" + process + "/cgroup", 1U << 16U);
    return groups && groups->find(container_id) != std::string::npos;
  } catch (const Error&) {
    return false;  // it ended while it was looked at
  }
}

UniqueFd open_network(const std::string& process) {
  return UniqueFd(::open(("/proc/" + process + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
}

sockaddr_storage address_of(const std::string& text, std::uint16_t port, socklen_t& size) {
  sockaddr_storage address{};
  auto* four = reinterpret_cast<sockaddr_in*>(&address);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address);
  size = 0;
  if (::inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    size = sizeof *four;
  } else if (::inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    size = sizeof *six;
  }
  return address;
}

bool connects(const std::string& text, std::span<const std::uint16_t> ports) {
  std::vector<UniqueFd> sockets;
  std::vector<pollfd> watched;
  for (const std::uint16_t port : ports) {
    socklen_t size = 0;
    const sockaddr_storage address = address_of(text, port, size);
    if (size == 0) return false;
    UniqueFd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return false;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
    if (errno != EINPROGRESS) continue;
    watched.push_back({socket.get(), POLLOUT, 0});
    sockets.push_back(std::move(socket));
  }
  if (watched.empty() || ::poll(watched.data(), watched.size(), kConnectMs) <= 0) return false;
  return std::any_of(watched.begin(), watched.end(), [](const pollfd& one) {
    int error = 0;
    socklen_t size = sizeof error;
    return one.revents != 0 && ::getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  });
}

}  // namespace

UniqueFd network_of_container(std::string_view container_id, std::int64_t pid) {
  if (container_id.empty()) return {};
  if (pid > 0 && is_in_container(std::to_string(pid), container_id)) return open_network(std::to_string(pid));
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    const std::string name = entry.path().filename().native();
    if (std::isdigit(static_cast<unsigned char>(name[0])) != 0 && is_in_container(name, container_id))
      return open_network(name);
  }
  return {};
}

bool takes_connection(const UniqueFd& network, const std::string& address,
                      std::span<const std::uint16_t> ports) {
  if (!network) return connects(address, ports);
  bool taken = false;
  bool entered = false;
  // A thread can be in another network than its process; it never comes back, so it is one of its own.
  std::thread inside([&] {
    entered = ::setns(network.get(), CLONE_NEWNET) == 0;
    if (entered) taken = connects(address, ports);
  });
  inside.join();
  return entered ? taken : connects(address, ports);
}

}  // namespace runner::executors
