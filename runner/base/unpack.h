#pragma once
// Archives that may be hostile, written below one directory and nowhere else (libarchive behind). Any thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner {

struct UnpackLimits {
  std::uint64_t entries = 1'000'000;
  std::uint64_t bytes = 64ULL << 30U;  // of all files together, as written
  std::uint64_t path_bytes = 4096;     // of one path
  /// Of all paths and the directories above them: they are kept in memory, so depth must cost.
  std::uint64_t all_paths = 256ULL << 20U;
  /// Bytes written for each byte of the archive, once 64 MiB have been written: more is a bomb.
  std::uint64_t ratio = 1000;
};

struct UnpackOptions {
  UnpackLimits limits;
  /// Only these entries, with what is below them; empty: all.
  std::vector<std::string> only;
  bool overwrite = false;  // files that are there are replaced, never followed; else an error
  bool owners = false;     // as stored, when we are root; else ours
  /// Asked for each entry before it is written; may be empty. For listing progress.
  std::function<void(std::string_view path, std::uint64_t bytes)> on_entry;
};

struct UnpackReport {
  std::uint64_t files = 0, directories = 0, links = 0, bytes = 0;
};

struct ArchiveEntry {
  std::string path;  // as stored
  std::uint64_t bytes = 0;
  std::uint32_t mode = 0;
  std::int64_t modified = 0;  // seconds since 1970
  char type = 'f';            // f file, d directory, l symbolic link, h hard link, ? anything else
  std::string target;         // of links
};

/// Writes the entries of a zip, tar, tar.gz, tar.zst or tar.xz below `directory` (exists). Refused, with the
/// entry's name in the message, before anything of that entry is written: absolute paths, paths with "..",
/// an entry below what the archive made a symbolic link, hard links to what the archive did not bring,
/// symbolic links that lead out of the directory or go up after they went down, devices, sockets and FIFOs,
/// one path twice, two paths that differ in case only, and what is beyond the limits. Files are made with
/// O_EXCL or replaced by rename; no link on disk is followed, also not one that was there. Set-user and
/// set-group bits are dropped. Holes stay holes. Throws Error{invalid_input} for a refused archive,
/// Error{corrupt} for a broken one; what was written stays, for the caller to remove.
UnpackReport unpack(const std::filesystem::path& archive, const std::filesystem::path& directory,
                    const UnpackOptions& options = {});

/// What is in it, in its order; refuses nothing but broken archives and more entries than allowed.
std::vector<ArchiveEntry> list_archive(const std::filesystem::path& archive, const UnpackLimits& limits = {});

}  // namespace runner
