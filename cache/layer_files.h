#pragma once
// The directories of a layer store: names, locks, ways in and out. Internal to the store. Any thread; blocks.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/fd.h"

namespace runner::cache {

inline constexpr std::string_view kDrafts = "drafts";
inline constexpr std::string_view kNew = "new";
inline constexpr std::string_view kHolders = "holders";
inline constexpr std::string_view kTrash = "trash";
inline constexpr std::string_view kReserve = "reserve";

/// A name that nobody else has.
std::string random_name();

/// The kernel's name for the time since it started. Throws Error.
std::string read_boot_id();

/// Makes PARENT/NAME, a directory that this process has locked: nobody else takes it for a leftover. Throws
/// Error.
struct LockedPath {
  std::filesystem::path path;
  UniqueFd lock;
};
LockedPath make_locked_directory(const std::filesystem::path& parent, std::string_view prefix = {});
/// The same with a file. `prefix` starts the name.
LockedPath make_locked_file(const std::filesystem::path& parent, std::string_view prefix);

/// The lock of a file or directory that nobody has locked. Empty when somebody has, or it is not there.
UniqueFd lock_leftover(const std::filesystem::path& path);
/// Whether somebody has locked it.
bool is_locked(const std::filesystem::path& path);

/// Takes something out of the store under a name nobody knows, without removing it yet. Missing is fine.
/// Throws Error.
void move_to_trash(const std::filesystem::path& root, const std::filesystem::path& what);
/// Removes all of trash/ unless stopped; fine when others do so at the same time. Throws Error.
void remove_trash(const std::filesystem::path& root, const Background& background);

bool is_directory_itself(const std::filesystem::path& path);  // links not followed
bool is_link(const std::filesystem::path& path);
/// Two hexadecimal digits: a folder of hashed layers.
bool is_shard(std::string_view name) noexcept;
/// The names in a directory; none when it does not exist. Throws Error.
std::vector<std::string> names_in(const std::filesystem::path& directory);

}  // namespace runner::cache
