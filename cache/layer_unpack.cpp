#include <algorithm>

#include "cache/layer_names.h"
#include "cache/layer_pack.h"
#include "cache/pax_header.h"
#include "cache/zstd_stream.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/unpack_target.h"

namespace runner::cache {
namespace {

// An entry's attributes and names; what a file system takes is far less.
constexpr std::uint64_t kMostRecords = 4ULL << 20U;

[[noreturn]] void foreign(std::string_view path, std::string_view what) {
  throw Error(ErrorCode::invalid_input,
              "entry " + in_quotes_safely(path) + ": no layer has " + std::string(what));
}

/// The uncompressed stream; every byte of it counts for the digest.
class Stream {
 public:
  explicit Stream(const std::filesystem::path& file) : reader_(file) {}

  /// At most `most` bytes, none at the end only. Valid until the next call.
  std::string_view some(std::uint64_t most) {
    if (rest_.empty()) {
      rest_ = reader_.next();
      digest_.update(rest_);
    }
    const std::string_view part =
        rest_.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(most, rest_.size())));
    rest_.remove_prefix(part.size());
    return part;
  }

  std::string exactly(std::uint64_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      const std::string_view part = some(size - bytes.size());
      if (part.empty()) throw Error(ErrorCode::corrupt, "the layer's archive ends early");
      bytes += part;
    }
    return bytes;
  }

  std::string finish() {
    if (!some(1).empty()) throw Error(ErrorCode::corrupt, "the layer's archive has something after its end");
    return "sha256:" + digest_.finish_hex();
  }
  std::uint64_t compressed_bytes() const noexcept { return reader_.compressed_bytes(); }

 private:
  ZstdReader reader_;
  Sha256 digest_;
  std::string_view rest_;
};

/// Undoes archived_name() in all parts but the last, which may be a mark.
std::string literal_directory(std::string_view path, std::size_t end) {
  std::string literal;
  for (const std::string_view part : split(path.substr(0, end), '/')) {
    if (part.starts_with(kWhiteoutPrefix) && !part.starts_with(kLiteralPrefix)) foreign(path, "such a name");
    literal += literal_name(part) + '/';
  }
  return literal;
}

/// What the name says: its path on disk, and whether it is a mark.
void read_name(const PaxEntry& from, UnpackEntry& entry) {
  std::string_view path = from.path;
  if (path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  if (slash != std::string_view::npos) entry.path = literal_directory(path, slash);
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (!name.starts_with(kWhiteoutPrefix) || name.starts_with(kLiteralPrefix)) {
    entry.path += literal_name(name);
    return;
  }
  if (from.type != '0' || from.size != 0) foreign(path, "a mark with content");
  if (name == kOpaqueName) {
    entry.kind = UnpackKind::opaque;
    return;
  }
  const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
  const bool is_reserved = hidden.starts_with(kWhiteoutPrefix) && !hidden.starts_with(kLiteralPrefix);
  if (hidden.empty() || hidden == "." || hidden == ".." || is_reserved) foreign(path, "such a mark");
  entry.kind = UnpackKind::whiteout;
  entry.path += literal_name(hidden);
}

UnpackKind kind_of(const PaxEntry& entry) {
  switch (entry.type) {
    case '0':
      return UnpackKind::file;
    case '1':
      return UnpackKind::hard_link;
    case '2':
      return UnpackKind::symlink;
    case '5':
      return UnpackKind::directory;
    case '6':
      return UnpackKind::fifo;
    default:
      return UnpackKind::refused;
  }
}

UnpackEntry unpack_entry_of(PaxEntry from) {
  UnpackEntry entry;
  entry.kind = kind_of(from);
  if (entry.kind != UnpackKind::file && from.size != 0) foreign(from.path, "content in what is no file");
  read_name(from, entry);
  if (from.nanoseconds > 999'999'999) foreign(from.path, "such a time");
  entry.mode = from.mode;
  entry.uid = from.uid;
  entry.gid = from.gid;
  entry.seconds = from.seconds;
  entry.nanoseconds = from.nanoseconds;
  entry.bytes = from.size;
  entry.target = std::move(from.target);
  if (entry.kind == UnpackKind::hard_link) {
    const auto slash = entry.target.rfind('/');
    std::string target = slash == std::string::npos ? "" : literal_directory(entry.target, slash);
    entry.target = target + literal_name(std::string_view(entry.target).substr(slash + 1));
  }
  entry.attributes = std::move(from.attributes);
  return entry;
}

/// False at the end of the archive.
bool read_header(Stream& stream, PaxEntry& entry) {
  std::string block = stream.exactly(kTarBlock);
  if (block.front() == '\0') {
    block += stream.exactly(kTarBlock);
    if (block.find_first_not_of('\0') != std::string::npos)
      throw Error(ErrorCode::corrupt, "the layer's archive is damaged: its end is none");
    return false;
  }
  entry = parse_pax_header(block);
  if (entry.type != 'x') return true;
  if (entry.size > kMostRecords) foreign(entry.path, "so long a header");
  const std::string records = stream.exactly(entry.size);
  stream.exactly(padding_of(entry.size));
  entry = parse_pax_header(stream.exactly(kTarBlock));
  apply_pax_records(records, entry);
  return true;
}

void read_entries(Stream& stream, UnpackTarget& target) {
  for (PaxEntry entry; read_header(stream, entry);) {
    const std::uint64_t size = entry.size;
    std::uint64_t at = 0;
    target.add(unpack_entry_of(std::move(entry)), [&](UnpackPart& part) {
      part = {at, stream.some(size - at)};
      if (part.bytes.empty() && at < size) throw Error(ErrorCode::corrupt, "the layer's archive ends early");
      at += part.bytes.size();
      return !part.bytes.empty();
    });
    stream.exactly(padding_of(size));
  }
}

}  // namespace

void read_packed_layer(const std::filesystem::path& file, const std::string& digest,
                       const std::filesystem::path& tree, const UnpackLimits& limits) {
  UnpackOptions options;
  options.limits = limits;
  options.owners = true;
  Stream stream(file);
  UnpackTarget target(tree, options, stream.compressed_bytes(), true);
  read_entries(stream, target);
  const std::string found = stream.finish();
  if (found != digest)
    throw Error(ErrorCode::corrupt,
                "the layer's archive is not " + in_quotes_safely(digest) + " but " + in_quotes(found));
  target.finish();
}

}  // namespace runner::cache
