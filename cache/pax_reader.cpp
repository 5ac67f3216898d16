#include <algorithm>
#include <array>
#include <charconv>

#include "cache/pax_header.h"
#include "runner/base/error.h"
#include "runner/base/unpack_target.h"

namespace runner::cache {
namespace {

[[noreturn]] void damaged(std::string_view what) {
  throw Error(ErrorCode::corrupt, "the layer's archive is damaged: " + std::string(what));
}

[[noreturn]] void foreign(std::string_view what) {
  throw Error(ErrorCode::invalid_input, "no layer has " + std::string(what));
}

/// A field up to its first NUL.
std::string_view text_at(std::string_view block, std::size_t at, std::size_t size) {
  const std::string_view field = block.substr(at, size);
  return field.substr(0, field.find('\0'));
}

std::uint64_t octal_at(std::string_view block, std::size_t at, std::size_t size) {
  const std::string_view digits = text_at(block, at, size);
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '7') damaged("a number of a header is none");
    value = value << 3U | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

template <typename Number>
Number decimal(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) damaged("a number of a record is none");
  return value;
}

void read_time(std::string_view text, PaxEntry& entry) {
  const auto dot = text.find('.');
  entry.seconds = decimal<std::int64_t>(text.substr(0, dot));
  if (dot == std::string_view::npos) return;
  if (text.size() - dot != 10) foreign("such a time");
  entry.nanoseconds = decimal<std::uint32_t>(text.substr(dot + 1));
}

std::string from_percent(std::string_view coded) {
  std::string out;
  for (std::size_t i = 0; i < coded.size(); ++i) {
    if (coded[i] != '%') {
      out += coded[i];
      continue;
    }
    unsigned char byte = 0;
    if (i + 2 >= coded.size()) damaged("the name of an attribute ends early");
    const auto [end, error] = std::from_chars(coded.data() + i + 1, coded.data() + i + 3, byte, 16);
    if (error != std::errc() || end != coded.data() + i + 3) damaged("the name of an attribute is none");
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::string from_base64(std::string_view coded) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : coded) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) damaged("the value of an attribute is none");
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 255U);
  }
  return out;
}

void add_attribute(PaxEntry& entry, std::string name, std::string value) {
  // Those of overlayfs would change what a stack shows, and others are not a job's to set.
  if (!name.starts_with("user.") || name.starts_with("user.overlay."))
    foreign("an attribute " + in_quotes_safely(name));
  entry.attributes.emplace_back(std::move(name), std::move(value));
}

void apply(std::string_view key, std::string_view value, PaxEntry& entry) {
  constexpr std::string_view kPlain = "SCHILY.xattr.", kCoded = "LIBARCHIVE.xattr.";
  if (key == "path") {
    entry.path = value;
  } else if (key == "linkpath") {
    entry.target = value;
  } else if (key == "mtime") {
    read_time(value, entry);
  } else if (key == "size") {
    entry.size = decimal<std::uint64_t>(value);
  } else if (key == "uid") {
    entry.uid = decimal<std::uint64_t>(value);
  } else if (key == "gid") {
    entry.gid = decimal<std::uint64_t>(value);
  } else if (key.starts_with(kPlain)) {
    add_attribute(entry, std::string(key.substr(kPlain.size())), std::string(value));
  } else if (key.starts_with(kCoded)) {
    add_attribute(entry, from_percent(key.substr(kCoded.size())), from_base64(value));
  } else if (key != "hdrcharset") {
    foreign("a record " + in_quotes_safely(key));
  }
}

}  // namespace

PaxEntry parse_pax_header(std::string_view block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i)
    sum += i >= 148 && i < 156 ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(block[i]);
  if (sum != octal_at(block, 148, 8)) damaged("the checksum of a header is wrong");
  if (block.substr(257, 6) != std::string_view("ustar\0", 6)) foreign("such a header");
  if (block[345] != '\0') foreign("a path in two parts");
  PaxEntry entry;
  entry.path = text_at(block, 0, 100);
  entry.type = block[156];
  entry.mode = static_cast<std::uint32_t>(octal_at(block, 100, 8)) & 07777U;
  entry.uid = octal_at(block, 108, 8);
  entry.gid = octal_at(block, 116, 8);
  entry.size = octal_at(block, 124, 12);
  entry.seconds = static_cast<std::int64_t>(octal_at(block, 136, 12));
  entry.target = text_at(block, 157, 100);
  return entry;
}

void apply_pax_records(std::string_view records, PaxEntry& entry) {
  while (!records.empty()) {
    const auto space = records.find(' ');
    if (space == std::string_view::npos) damaged("a record has no length");
    const auto length = decimal<std::uint64_t>(records.substr(0, space));
    if (length > records.size() || length < space + 3 || records[length - 1] != '\n')
      damaged("a record ends early");
    const std::string_view record = records.substr(space + 1, length - space - 2);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) damaged("a record has no value");
    apply(record.substr(0, equals), record.substr(equals + 1), entry);
    records.remove_prefix(length);
  }
}

}  // namespace runner::cache
