#pragma once
// What `runner doctor` looks at. Each check blocks on the disk for milliseconds. Main thread, before there
// are others: trying a mount forks.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace runner::cli {

enum class Health : std::uint8_t { ok, warning, problem };
std::string_view to_string(Health health) noexcept;

struct Finding {
  std::string topic;  // stable: "kernel"
  Health health = Health::ok;
  std::string text;
  std::string mend;  // what to do about it; empty when all is well
};

/// All checks, in order. `data` is the data directory; what is made there for a try is removed.
std::vector<Finding> examine(const std::filesystem::path& data);

}  // namespace runner::cli
