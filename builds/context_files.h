#pragma once
// The files of a context that a build sees, in the order of their bytes. Links are never followed, so nothing
// outside is ever read. One thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "builds/ignore_rules.h"
#include "runner/base/fd.h"

namespace runner::builds {

struct ContextEntry {
  enum class Kind : std::uint8_t { file, directory, link };
  Kind kind = Kind::file;
  std::string path;        // within the context, with '/'
  unsigned mode = 0;       // permissions
  std::uint64_t size = 0;  // bytes, of a file as it was opened
  int fd = -1;             // of a file, at its begin; the walk's own
  std::string target;      // of a link
};

/// A directory or file below a workspace, reached without leaving it: a link that leads out is refused.
/// Throws Error{invalid_input} with `what` ("context") and the path.
UniqueFd open_below(int workspace, const std::string& path, int flags, std::string_view what);
/// A small file of the workspace, in the same way; nullopt when there is none.
std::optional<std::string> read_below(int workspace, const std::string& path, std::string_view what);

/// Calls `take` for each, a directory before what it holds. Sockets, pipes and devices are none. Memory is
/// bounded by the largest directory. Throws Error: invalid_input for what cannot be read, cancelled.
void walk_context(int context, const IgnoreRules& rules, const std::function<void(const ContextEntry&)>& take,
                  const std::stop_token& stop = {});

}  // namespace runner::builds
