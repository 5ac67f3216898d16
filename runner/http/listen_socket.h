#pragma once
// Sockets that listen. One thread at a time; nothing blocks.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runner/base/fd.h"
#include "runner/http/message.h"

namespace runner::http {

struct Accepted {
  UniqueFd fd;  // not blocking, close-on-exec
  Peer peer;
};

/// Bound and listening. A unix socket's file is removed on destruction, unless another took its place.
/// Move-only.
class ListenSocket {
 public:
  /// `address`: of IPv4 or IPv6, in digits; "::" is IPv6 only. Port 0: any free one. Throws Error:
  /// invalid_input for what is no address, conflict when the port is taken.
  static ListenSocket tcp(const std::string& address, std::uint16_t port);
  /// The file is never open to more than `mode` says. That of a dead process is replaced. Throws
  /// Error{conflict} when a live one listens there or the file is no socket. "PATH.lock", which stays, keeps
  /// two from starting at once.
  static ListenSocket unix_socket(const std::filesystem::path& path, unsigned mode);

  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;
  ~ListenSocket();

  int fd() const noexcept { return fd_.get(); }
  std::uint16_t port() const noexcept { return port_; }  // 0 for a unix socket

  /// nullopt: nobody waits. A connection that broke while it waited is passed over. Throws Error{unavailable}
  /// when descriptors or memory run out.
  std::optional<Accepted> accept() const;

 private:
  ListenSocket() = default;

  UniqueFd fd_;
  UniqueFd lock_;
  std::uint16_t port_ = 0;
  std::filesystem::path path_;
  std::uint64_t device_ = 0;  // of the file at path_
  std::uint64_t inode_ = 0;
};

}  // namespace runner::http
