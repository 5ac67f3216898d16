#pragma once
// Taking archives and their content off the shelf. Block on the disk.

#include <filesystem>
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

/// Whether the file is the one that was recorded. Throws Error.
bool is_intact(const std::filesystem::path& archive, std::string_view sha256);

}  // namespace runner::cli
