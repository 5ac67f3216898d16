#pragma once
// What an archive is, and whether it may be unpacked on a host. Internal to this folder; any thread.

#include <filesystem>
#include <string_view>

namespace runner::deployments {

enum class ArchiveKind : unsigned char { zip, tar, tar_gz, tar_zst };
/// "zip", "tar", "tar.gz", "tar.zst".
std::string_view to_string(ArchiveKind kind) noexcept;

/// By its first bytes. Reads its list and refuses, with the member's name: what is absolute or climbs out,
/// symbolic links that lead out, what lies below a link, hard links to what it does not bring, devices, one
/// path twice. The archive is known by its digest and the host checks that, so what holds here holds there.
/// Throws Error: not_found, invalid_input, corrupt (truncated).
ArchiveKind check_artifact(const std::filesystem::path& archive);

}  // namespace runner::deployments
