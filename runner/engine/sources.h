#pragma once
// What a job's variables ask of the files it starts from, and what it gets.

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runner::engine {

/// GIT_DEPTH and its kin.
struct SourceKnobs {
  std::size_t depth = 20;           // 0 = all
  bool checkout = true;             // false: the default branch instead of the commit
  std::string submodules = "none";  // "none", "normal" or "recursive"
  std::vector<std::string> submodule_paths;
  std::optional<std::size_t> submodule_depth;  // default: depth
  bool lfs = true;
  friend bool operator==(const SourceKnobs&, const SourceKnobs&) = default;
};

/// As `values` (variables) say; a value that means nothing is told in `warnings`, and the default taken.
SourceKnobs source_knobs(const std::map<std::string, std::string>& values,
                         std::vector<std::string>& warnings);

struct Sources {
  std::vector<std::filesystem::path> lowers;  // top first
  std::shared_ptr<const void> held;           // keeps them
  std::vector<std::string> notices;           // for the job's log
};

}  // namespace runner::engine
