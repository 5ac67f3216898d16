#include "runner/daemon/job_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::daemon {
namespace {

constexpr int kMaxListeners = 8;

/// A path may be longer than a socket address: it is named by a descriptor of its directory.
sockaddr_un address_in(const UniqueFd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + job_file::kControl;
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  return address;
}

UniqueFd open_place(const std::filesystem::path& place) {
  return UniqueFd(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

bool send_signal(int socket, JobSignal signal) noexcept {
  for (;;) {
    if (::send(socket, &signal, sizeof signal, MSG_NOSIGNAL) == sizeof signal) return true;
    if (errno != EINTR) return false;
  }
}

std::optional<JobSignal> receive_signal(int socket) noexcept {
  JobSignal signal{};
  for (;;) {
    const ssize_t got = ::recv(socket, &signal, sizeof signal, 0);
    if (got == sizeof signal) return signal;
    // A reset is told once, when the other side closed with something unread; what it sent before is still
    // there.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    return std::nullopt;
  }
}

UniqueFd try_lock_place(const std::filesystem::path& place) {
  const std::filesystem::path path = place / job_file::kLock;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw_errno("cannot open " + in_quotes(path.native()));
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return {};
    throw_errno("cannot lock " + in_quotes(path.native()));
  }
  return file;
}

UniqueFd listen_in(const std::filesystem::path& place) {
  const UniqueFd directory = open_place(place);
  if (!directory) throw_errno("cannot open " + in_quotes(place.native()));
  const sockaddr_un address = address_in(directory);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), kMaxListeners) != 0)
    throw_errno("cannot make the control socket of a job");
  return socket;
}

UniqueFd connect_to(const std::filesystem::path& place) {
  const UniqueFd directory = open_place(place);
  if (!directory) return {};
  const sockaddr_un address = address_in(directory);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("cannot make a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

}  // namespace runner::daemon
