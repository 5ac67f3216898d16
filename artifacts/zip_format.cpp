#include "artifacts/zip_format.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::artifacts::zip {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDescriptor = 0x08074b50;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint16_t kExtra64 = 0x0001;
constexpr std::uint16_t kExtraTime = 0x5455;  // "UT"
constexpr std::uint16_t kUnix = 3;
constexpr std::uint16_t kVersion = 20, kVersion64 = 45;
constexpr unsigned kFlagStreamed = 1U << 3U, kFlagUtf8 = 1U << 11U;
constexpr std::uint32_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t kMost16 = std::numeric_limits<std::uint16_t>::max();

/// Little endian, whatever the machine is.
class Bytes {
 public:
  Bytes& u16(std::uint64_t value) { return put(value, 2); }
  Bytes& u32(std::uint64_t value) { return put(value, 4); }
  Bytes& u64(std::uint64_t value) { return put(value, 8); }
  Bytes& text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  std::string take() { return std::move(bytes_); }
  std::size_t size() const noexcept { return bytes_.size(); }

 private:
  Bytes& put(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i, value >>= 8U) bytes_ += static_cast<char>(value & 0xffU);
    return *this;
  }
  std::string bytes_;
};

std::uint64_t at_most(std::uint64_t value, std::uint64_t most) {
  return std::min(value, most);
}

/// A streamed entry may become a little larger than its content.
bool is_wide(const Entry& entry) {
  constexpr std::uint64_t kRoom = std::uint64_t{64} << 20U;
  return entry.streamed ? entry.size >= kMost32 - kRoom : std::max(entry.size, entry.packed) >= kMost32;
}

bool needs_64(const Entry& entry) {
  return is_wide(entry) || entry.offset >= kMost32;
}

unsigned flags_of(const Entry& entry) {
  const bool ascii = std::all_of(entry.path.begin(), entry.path.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return (entry.streamed ? kFlagStreamed : 0U) | (!ascii && is_utf8(entry.path) ? kFlagUtf8 : 0U);
}

/// Time and date as of 1980, in UTC: equal trees give equal archives, wherever. Exact times are in "UT".
std::uint32_t dos_time(std::int64_t modified) {
  using namespace std::chrono;
  const sys_seconds first = sys_days(year(1980) / January / 1);
  const sys_seconds last = sys_days(year(2107) / December / 31);
  const sys_seconds time = std::clamp(sys_seconds(seconds(modified)), first, last);
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto year_since = static_cast<std::uint32_t>(static_cast<int>(date.year()) - 1980);
  const std::uint32_t date_bits =
      year_since << 9U | static_cast<unsigned>(date.month()) << 5U | static_cast<unsigned>(date.day());
  const auto time_bits = static_cast<std::uint32_t>(
      clock.hours().count() << 11 | clock.minutes().count() << 5 | clock.seconds().count() / 2);
  return date_bits << 16U | time_bits;
}

void add_time(Bytes& extra, std::int64_t modified) {
  using Limits = std::numeric_limits<std::int32_t>;
  if (modified < Limits::min() || modified > Limits::max()) return;
  extra.u16(kExtraTime).u16(5).text("\x01").u32(static_cast<std::uint64_t>(modified));
}

std::size_t name_size(const Entry& entry) {
  if (entry.path.size() > kMost16)
    throw Error(ErrorCode::invalid_input, "its name is too long for a zip archive");
  return entry.path.size();
}

}  // namespace

std::string local_header(const Entry& entry) {
  const bool wide = is_wide(entry);
  Bytes extra;
  add_time(extra, entry.modified);
  // Of a streamed entry the descriptor has the sizes; that it has eight bytes for each is told here.
  if (wide) extra.u16(kExtra64).u16(16).u64(entry.streamed ? 0 : entry.size).u64(entry.packed);
  const std::uint64_t size = wide ? kMost32 : entry.streamed ? 0 : entry.size;
  const std::uint64_t packed = wide ? kMost32 : entry.streamed ? 0 : entry.packed;
  Bytes bytes;
  bytes.u32(kLocalHeader).u16(wide ? kVersion64 : kVersion).u16(flags_of(entry));
  bytes.u16(static_cast<std::uint16_t>(entry.method)).u32(dos_time(entry.modified));
  bytes.u32(entry.streamed ? 0 : entry.crc).u32(packed).u32(size);
  bytes.u16(name_size(entry)).u16(extra.size()).text(entry.path).text(extra.take());
  return bytes.take();
}

std::string descriptor(const Entry& entry) {
  Bytes bytes;
  bytes.u32(kDescriptor).u32(entry.crc);
  if (is_wide(entry)) return bytes.u64(entry.packed).u64(entry.size).take();
  return bytes.u32(entry.packed).u32(entry.size).take();
}

std::string directory_header(const Entry& entry) {
  Bytes wide;
  if (entry.size >= kMost32) wide.u64(entry.size);
  if (entry.packed >= kMost32) wide.u64(entry.packed);
  if (entry.offset >= kMost32) wide.u64(entry.offset);
  Bytes extra;
  add_time(extra, entry.modified);
  if (wide.size() > 0) {
    extra.u16(kExtra64).u16(wide.size());
    extra.text(wide.take());
  }
  const std::uint16_t version = needs_64(entry) ? kVersion64 : kVersion;
  Bytes bytes;
  bytes.u32(kDirectoryHeader).u16(kUnix << 8U | version).u16(version).u16(flags_of(entry));
  bytes.u16(static_cast<std::uint16_t>(entry.method)).u32(dos_time(entry.modified)).u32(entry.crc);
  bytes.u32(at_most(entry.packed, kMost32)).u32(at_most(entry.size, kMost32));
  bytes.u16(name_size(entry)).u16(extra.size()).u16(0).u16(0).u16(0);
  const std::uint32_t dos_attributes = S_ISDIR(entry.mode) ? 0x10U : 0U;
  bytes.u32((entry.mode & 0xffffU) << 16U | dos_attributes).u32(at_most(entry.offset, kMost32));
  return bytes.text(entry.path).text(extra.take()).take();
}

std::string end_records(std::uint64_t count, std::uint64_t size, std::uint64_t offset) {
  Bytes bytes;
  if (count >= kMost16 || size >= kMost32 || offset >= kMost32) {
    bytes.u32(kEnd64).u64(44).u16(kUnix << 8U | kVersion64).u16(kVersion64).u32(0).u32(0);
    bytes.u64(count).u64(count).u64(size).u64(offset);
    bytes.u32(kEnd64Locator).u32(0).u64(offset + size).u32(1);
  }
  const std::uint64_t shown = at_most(count, kMost16);
  bytes.u32(kEnd).u16(0).u16(0).u16(shown).u16(shown);
  return bytes.u32(at_most(size, kMost32)).u32(at_most(offset, kMost32)).u16(0).take();
}

}  // namespace runner::artifacts::zip
