#include "runner/http/listen_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::http {
namespace {

constexpr int kBacklog = 512;

/// Any socket address, as the calls want it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr_in& v4() const noexcept { return reinterpret_cast<const sockaddr_in&>(storage); }
  const sockaddr_in6& v6() const noexcept { return reinterpret_cast<const sockaddr_in6&>(storage); }
};

UniqueFd open_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno("cannot make a socket");
  return fd;
}

void switch_on(int fd, int level, int option) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) != 0) throw_errno("cannot set an option of a socket");
}

SocketAddress parse_address(const std::string& text, std::uint16_t port) {
  SocketAddress address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
  } else {
    throw Error(ErrorCode::invalid_input,
                "cannot listen on " + in_quotes(text) +
                    ": it is no IPv4 or IPv6 address, such as '127.0.0.1' or '::1'");
  }
  return address;
}

std::uint16_t port_of(const SocketAddress& address) {
  return ntohs(address.storage.ss_family == AF_INET6 ? address.v6().sin6_port : address.v4().sin_port);
}

SocketAddress unix_address(const std::filesystem::path& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.empty() || text.size() >= sizeof name.sun_path)
    throw Error(ErrorCode::invalid_input,
                "cannot listen on " + in_quotes(text) + ": the path of a socket has 1 to " +
                    std::to_string(sizeof name.sun_path - 1) + " bytes; choose a shorter one");
  text.copy(name.sun_path, text.size());
  SocketAddress address;
  std::memcpy(&address.storage, &name, sizeof name);
  address.length = sizeof name;
  return address;
}

[[noreturn]] void in_the_way(const std::filesystem::path& path, std::string_view what) {
  throw Error(ErrorCode::conflict, "cannot listen on " + in_quotes(path.string()) + ": " + std::string(what));
}

/// Held as long as the socket listens, so that what lies at the path is ours to judge.
UniqueFd lock_of(const std::filesystem::path& path) {
  const std::string name = path.string() + ".lock";
  UniqueFd lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) throw_errno("cannot open " + in_quotes(name));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("cannot lock " + in_quotes(name));
    in_the_way(path, "another process listens there; stop it, or choose another path");
  }
  return lock;
}

/// Removes the socket that a dead process left.
void make_way(const std::filesystem::path& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return;
    throw_errno("cannot look at " + in_quotes(path.string()));
  }
  if (!S_ISSOCK(there.st_mode))
    in_the_way(path, "there is a file that is no socket; remove it, or choose another path");
  SocketAddress address = unix_address(path);
  const UniqueFd probe = open_socket(AF_UNIX);
  // EAGAIN is a full queue of a live one. Only a refusal says that nobody listens.
  if (::connect(probe.get(), address.get(), address.length) == 0 || errno == EAGAIN)
    in_the_way(path, "another process listens there; stop it, or choose another path");
  if (errno != ECONNREFUSED)
    throw_errno("cannot find out whether somebody listens on " + in_quotes(path.string()));
  if (::unlink(path.c_str()) != 0) throw_errno("cannot remove the old socket " + in_quotes(path.string()));
}

Credentials credentials_of(int fd) {
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0)
    throw_errno("cannot ask who is at the other end of a socket");
  return {who.uid, who.gid, who.pid};
}

Peer peer_of(int fd, const SocketAddress& address) {
  Peer peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (address.storage.ss_family) {
    case AF_INET:
      ::inet_ntop(AF_INET, &address.v4().sin_addr, text.data(), text.size());
      break;
    case AF_INET6:
      ::inet_ntop(AF_INET6, &address.v6().sin6_addr, text.data(), text.size());
      break;
    default:
      peer.credentials = credentials_of(fd);
      return peer;
  }
  peer.address = text.data();
  peer.port = port_of(address);
  return peer;
}

}  // namespace

ListenSocket ListenSocket::tcp(const std::string& address_text, std::uint16_t port) {
  SocketAddress address = parse_address(address_text, port);
  ListenSocket made;
  made.fd_ = open_socket(address.storage.ss_family);
  switch_on(made.fd(), SOL_SOCKET, SO_REUSEADDR);
  // Not both at once on "::": then addresses of IPv4 clients would have two forms.
  if (address.storage.ss_family == AF_INET6) switch_on(made.fd(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(made.fd(), address.get(), address.length) != 0 || ::listen(made.fd(), kBacklog) != 0) {
    const std::string what = "cannot listen on " + in_quotes(address_text) + ", port " + std::to_string(port);
    if (errno == EADDRINUSE)
      throw Error(ErrorCode::conflict, what + ": the port is taken; stop who has it, or choose another");
    throw_errno(what);
  }
  address.length = sizeof address.storage;
  if (::getsockname(made.fd(), address.get(), &address.length) != 0)
    throw_errno("cannot ask for the port of a socket");
  made.port_ = port_of(address);
  return made;
}

ListenSocket ListenSocket::unix_socket(const std::filesystem::path& path, unsigned mode) {
  SocketAddress address = unix_address(path);
  ListenSocket made;
  made.lock_ = lock_of(path);
  make_way(path);
  made.fd_ = open_socket(AF_UNIX);
  // bind() takes the mode of the file from the socket, less the umask (unix_bind in the kernel): so it is
  // never wider.
  if (::fchmod(made.fd(), mode) != 0 || ::bind(made.fd(), address.get(), address.length) != 0)
    throw_errno("cannot bind a socket to " + in_quotes(path.string()));
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) throw_errno("cannot look at " + in_quotes(path.string()));
  made.path_ = path;
  made.device_ = there.st_dev;
  made.inode_ = there.st_ino;
  if (::chmod(path.c_str(), mode) != 0 || ::listen(made.fd(), kBacklog) != 0)
    throw_errno("cannot listen on " + in_quotes(path.string()));
  return made;
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      lock_(std::move(other.lock_)),
      port_(other.port_),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListenSocket::~ListenSocket() {
  struct stat there {};
  if (path_.empty() || ::lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

std::optional<Accepted> ListenSocket::accept() const {
  for (;;) {
    SocketAddress address;
    UniqueFd fd(::accept4(fd_.get(), address.get(), &address.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      if (path_.empty()) switch_on(fd.get(), IPPROTO_TCP, TCP_NODELAY);
      Peer peer = peer_of(fd.get(), address);
      return Accepted{std::move(fd), std::move(peer)};
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      throw Error(std::error_code(errno, std::generic_category()), "cannot accept a connection");
    }
    // The rest are errors of the connection that waited (accept(2)), unless the socket itself is broken.
    if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP)
      throw_errno("cannot accept connections any more");
  }
}

}  // namespace runner::http
