#pragma once
// Files that a large file storage keeps, by the tool git-lfs. Any thread. Internal to this folder.

#include <filesystem>
#include <string>
#include <string_view>

namespace runner::git {

/// Where the tool is: looked for in PATH. Empty when it is not installed.
std::filesystem::path find_lfs_tool();

struct LfsAccess {
  std::filesystem::path tool;
  std::filesystem::path repository;  // the mirror; the tool keeps what it fetched there
  std::string url;                   // of the project, for the tool to find the storage
};

/// Writes the file that `pointer` stands for into the open, empty file `to`. Blocks while the tool fetches
/// it. Throws Error with what the tool said.
void smudge_lfs(const LfsAccess& access, const std::string& path, std::string_view pointer, int to);

}  // namespace runner::git
