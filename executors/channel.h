#pragma once
// Messages with descriptors over a SOCK_SEQPACKET socket.

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "runner/base/fd.h"

namespace runner::executors {

/// Both ends close-on-exec. Throws Error.
std::pair<UniqueFd, UniqueFd> make_channel();

/// False with errno set when the other side is gone or would block.
bool send_message(int socket, std::span<const std::byte> bytes, std::span<const int> fds,
                  int flags = 0) noexcept;

struct Received {
  std::size_t size = 0;  // 0: the other side is gone
  std::vector<UniqueFd> fds;
};
/// One message; repeats on EINTR. Descriptors are close-on-exec. Throws Error.
Received receive_message(int socket, std::span<std::byte> into);

}  // namespace runner::executors
