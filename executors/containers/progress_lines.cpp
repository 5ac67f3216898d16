#include "executors/containers/progress_lines.h"

#include <utility>

#include "runner/base/error.h"

namespace runner::executors {

void ProgressLines::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() > longest_)
      throw Error(ErrorCode::unavailable, "what the engine says of its progress cannot be read: too long");
    line_ += part;
    if (end == std::string_view::npos) return;
    finish(take);
    bytes.remove_prefix(end + 1);
  }
}

void ProgressLines::finish(const Take& take) {
  const std::string line = std::exchange(line_, {});
  if (!line.empty()) take(line);
}

}  // namespace runner::executors
