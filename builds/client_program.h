#pragma once
// A program that builds for us: an engine's client. It ends with us, and before us when we are to stop. One
// thread, which must live as long as the program runs.

#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/fd.h"

namespace runner::builds {

struct ClientCommand {
  std::vector<std::string> argv;  // the first is a path
  std::map<std::string, std::string> environment;
  /// Descriptors that it has under the same numbers, from 3 on, beside its standard ones.
  std::vector<int> shared;
};

struct ClientEnd {
  int code = 0;      // 128 + signal when it was killed
  std::string tail;  // the end of what it wrote
};

enum class ClientOutput : unsigned char { log, kept };

/// Runs it to its end. Its output goes to ours as it comes, or is only kept (64 KiB of it). When `stop` says
/// so it gets SIGTERM, and 10 s later SIGKILL. Throws Error: unavailable when it cannot be started,
/// cancelled.
ClientEnd run_client(const ClientCommand& command, ClientOutput output, const std::stop_token& stop);

/// A file in memory that only this process, and those that it starts, can read: nothing of it is on a disk.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content);
  int fd() const noexcept { return fd_.get(); }
  /// For whoever has the descriptor under the same number.
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  UniqueFd fd_;
};

}  // namespace runner::builds
