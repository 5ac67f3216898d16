#pragma once
// Taking archives and their content off the shelf. Block on the disk.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runner::cli {

/// Copies `archive` to `target`, which appears whole and right or not at all: false when its SHA-256 is
/// another one. Throws Error.
bool copy_verified(const std::filesystem::path& archive, std::string_view sha256,
                   const std::filesystem::path& target);

/// The same to an open descriptor; it is read twice, since what is written cannot be taken back.
bool write_verified(const std::filesystem::path& archive, std::string_view sha256, int fd);

/// A new file at `target`, which gets what `fill` writes and appears when that returned true; else nothing is
/// there afterwards that was not before. Returns what `fill` did. Throws Error.
bool write_whole(const std::filesystem::path& target, const std::function<bool(int fd)>& fill);

/// Whether the file is the one that was recorded. Throws Error.
bool is_intact(const std::filesystem::path& archive, std::string_view sha256);

}  // namespace runner::cli
