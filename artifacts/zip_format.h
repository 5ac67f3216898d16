#pragma once
// The records of a zip archive as bytes. Pure. Source: PKWARE's APPNOTE.TXT 6.3.10 (4.3 and 4.5), and
// Info-ZIP's extra field "UT" for times. Used inside this folder only.

#include <cstdint>
#include <string>

namespace runner::artifacts::zip {

enum class Method : std::uint16_t { stored = 0, deflated = 8 };

struct Entry {
  std::string path;           // directories end with '/'
  std::uint32_t mode = 0;     // of stat()
  std::int64_t modified = 0;  // seconds since 1970
  std::uint64_t size = 0, packed = 0;
  std::uint64_t offset = 0;  // of its local header
  std::uint32_t crc = 0;
  Method method = Method::stored;
  /// Checksum and packed size were not known when the local header was written: they follow the content.
  bool streamed = false;
};

/// Stands before the content. Of a streamed entry only `size` is looked at.
std::string local_header(const Entry& entry);
/// Stands behind the content of a streamed entry.
std::string descriptor(const Entry& entry);
/// One for each entry, together at the end.
std::string directory_header(const Entry& entry);
/// The last bytes: `count` directory headers of `bytes` in all start at `offset`.
std::string end_records(std::uint64_t count, std::uint64_t bytes, std::uint64_t offset);

}  // namespace runner::artifacts::zip
