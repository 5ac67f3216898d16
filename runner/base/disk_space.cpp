#include "runner/base/disk_space.h"

#include <algorithm>
#include <cstdint>
#include <system_error>

namespace runner {

bool is_short_of_space(const std::filesystem::path& directory) {
  constexpr std::uintmax_t kPlenty = 1U << 30U;
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(directory, failed);
  return !failed && space.available < std::min(kPlenty, space.capacity / 10);
}

}  // namespace runner
