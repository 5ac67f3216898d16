#include "cache/pax_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "runner/base/text.h"

namespace runner::cache {
namespace {

// Where the fields of a header block are.
struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12};
constexpr Field kChecksum{148, 8}, kLinkName{157, 100}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8};
constexpr std::size_t kType = 156;

using Block = std::array<char, kTarBlock>;

constexpr std::uint64_t largest(Field field) {
  return (std::uint64_t{1} << (3 * (field.size - 1))) - 1;
}

/// Octal digits to the last but one byte, then NUL.
void put_number(Block& block, Field field, std::uint64_t value) {
  for (std::size_t i = field.size - 1; i-- > 0; value >>= 3U)
    block.at(field.at + i) = static_cast<char>('0' + static_cast<char>(value & 7U));
}

void put_text(Block& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.at, text.data(), std::min(field.size, text.size()));
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool needs_record(std::string_view text, Field field) {
  return text.size() > field.size || !is_ascii(text);
}

/// "LENGTH KEY=VALUE\n", the length counting itself.
void put_record(std::string& out, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) length = rest + std::to_string(length).size();
  out += std::to_string(length);
  out += ' ';
  out += key;
  out += '=';
  out += value;
  out += '\n';
}

std::string fraction(std::int64_t seconds, std::uint32_t nanoseconds) {
  std::string digits = std::to_string(nanoseconds);
  digits.insert(0, 9 - digits.size(), '0');
  return std::to_string(seconds) + "." + digits;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63U];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63U];
  return out;
}

/// The usual key cannot hold a name with '='; libarchive's own, which writes such bytes as %XX, can.
void put_attribute(std::string& out, std::string_view name, std::string_view value) {
  if (name.find_first_of("=%") == std::string_view::npos)
    return put_record(out, "SCHILY.xattr." + std::string(name), value);
  const std::string coded = replace_all(replace_all(name, "%", "%25"), "=", "%3D");
  put_record(out, "LIBARCHIVE.xattr." + coded, base64(value));
}

std::string records_of(const PaxEntry& entry) {
  std::string out;
  const bool long_path = needs_record(entry.path, kName), long_target = needs_record(entry.target, kLinkName);
  if ((long_path && !is_utf8(entry.path)) || (long_target && !is_utf8(entry.target)))
    put_record(out, "hdrcharset", "BINARY");
  if (long_path) put_record(out, "path", entry.path);
  if (long_target) put_record(out, "linkpath", entry.target);
  if (entry.seconds < 0) {
    put_record(out, "mtime", std::to_string(entry.seconds));
  } else if (entry.nanoseconds != 0 || static_cast<std::uint64_t>(entry.seconds) > largest(kTime)) {
    put_record(out, "mtime", fraction(entry.seconds, entry.nanoseconds));
  }
  if (entry.size > largest(kSize)) put_record(out, "size", std::to_string(entry.size));
  if (entry.uid > largest(kUid)) put_record(out, "uid", std::to_string(entry.uid));
  if (entry.gid > largest(kGid)) put_record(out, "gid", std::to_string(entry.gid));
  for (const auto& [name, value] : entry.attributes) put_attribute(out, name, value);
  return out;
}

/// A number the field cannot hold is 0 there: its record counts.
std::uint64_t fitting(std::uint64_t value, Field field) {
  return value > largest(field) ? 0 : value;
}

void append_block(const PaxEntry& entry, std::string& out) {
  Block block{};
  put_text(block, kName, entry.path);
  put_number(block, kMode, entry.mode);
  put_number(block, kUid, fitting(entry.uid, kUid));
  put_number(block, kGid, fitting(entry.gid, kGid));
  put_number(block, kSize, fitting(entry.size, kSize));
  put_number(block, kTime, entry.seconds < 0 ? 0 : fitting(static_cast<std::uint64_t>(entry.seconds), kTime));
  block.at(kType) = entry.type;
  put_text(block, kLinkName, entry.target);
  put_text(block, kMagic, std::string_view("ustar\00000", 8));
  put_number(block, kMajor, 0);
  put_number(block, kMinor, 0);
  std::ranges::fill(std::span(block).subspan(kChecksum.at, kChecksum.size), ' ');
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put_number(block, {kChecksum.at, kChecksum.size - 1}, sum);
  block.at(kChecksum.at + kChecksum.size - 2) = '\0';
  out.append(block.data(), block.size());
}

}  // namespace

void append_pax_header(const PaxEntry& entry, std::string& out) {
  const std::string records = records_of(entry);
  if (!records.empty()) {
    PaxEntry extended;
    extended.path = "PaxHeader";
    extended.type = 'x';
    extended.mode = 0644;
    extended.size = records.size();
    append_block(extended, out);
    out += records;
    out.append(padding_of(records.size()), '\0');
  }
  append_block(entry, out);
}

}  // namespace runner::cache
