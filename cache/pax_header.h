#pragma once
// Headers of the canonical archive of a layer: POSIX pax, in the one form that pack_layer() writes
// and read_packed_layer() reads. Pure.
// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header". Internal to this folder.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::cache {

inline constexpr std::size_t kTarBlock = 512;

/// What the format says of one entry.
struct PaxEntry {
  std::string path;        // a directory's ends in '/'
  char type = '0';         // 0 file, 1 hard link, 2 symbolic link, 5 directory, 6 FIFO
  std::uint32_t mode = 0;  // permissions with the sticky, set-user and set-group bits
  std::uint64_t uid = 0, gid = 0;
  std::uint64_t size = 0;    // of what follows the header
  std::int64_t seconds = 0;  // modification time
  std::uint32_t nanoseconds = 0;
  std::string target;                                           // of links
  std::vector<std::pair<std::string, std::string>> attributes;  // name with "user.", value; sorted by name
};

/// Appends the header blocks of `entry` to `out`: those of its extended header first, when it needs one.
/// Extended records stand in this order, each only where the plain header cannot say it: hdrcharset, path,
/// linkpath, mtime, size, uid, gid, attributes. Times before 1970 have whole seconds (rounded down): readers
/// do not agree on more.
void append_pax_header(const PaxEntry& entry, std::string& out);

/// The entry of one block. Throws Error{corrupt} when it is damaged, Error{invalid_input} when
/// append_pax_header() would not have written it.
PaxEntry parse_pax_header(std::string_view block);
/// What an extended header's records say of the entry after it. Throws likewise.
void apply_pax_records(std::string_view records, PaxEntry& entry);

/// Bytes between the end of a content of `size` bytes and the next header.
inline std::size_t padding_of(std::uint64_t size) noexcept {
  return static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

}  // namespace runner::cache
