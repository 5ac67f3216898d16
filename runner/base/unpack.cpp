#include "runner/base/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/log.h"
#include "runner/base/name_locale.h"
#include "runner/base/text.h"
#include "runner/base/unpack_target.h"

namespace runner {
namespace {

struct FreeReader {
  void operator()(archive* reader) const noexcept { ::archive_read_free(reader); }
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info {};
    if (!file_ || ::fstat(file_.get(), &info) != 0) throw_errno("cannot open " + in_quotes(file.native()));
    if (!S_ISREG(info.st_mode))
      throw Error(ErrorCode::invalid_input, in_quotes(file.native()) + " is no file");
    bytes_ = static_cast<std::uint64_t>(info.st_size);
    archive* reader = reader_.get();
    // Only zip by its directory: a reader of what looks like entries would also read what was deleted.
    const bool ready = ::archive_read_support_format_tar(reader) == ARCHIVE_OK &&
                       ::archive_read_support_format_zip_seekable(reader) == ARCHIVE_OK &&
                       ::archive_read_support_filter_gzip(reader) == ARCHIVE_OK &&
                       ::archive_read_support_filter_xz(reader) == ARCHIVE_OK &&
                       ::archive_read_support_filter_zstd(reader) == ARCHIVE_OK;
    if (!ready) throw Error(ErrorCode::internal, "libarchive lacks a format");
    constexpr std::size_t kBlock = 256UL << 10U;
    if (::archive_read_open_fd(reader, file_.get(), kBlock) != ARCHIVE_OK) fail();
  }

  std::uint64_t bytes() const noexcept { return bytes_; }

  /// Null at the end. Valid until the next call.
  archive_entry* next() {
    archive_entry* entry = nullptr;
    const int result = ::archive_read_next_header(reader_.get(), &entry);
    if (result == ARCHIVE_EOF) return nullptr;
    // A warning is about a name in no known characters: its bytes are there.
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail();
    return entry;
  }

  bool read(UnpackPart& part) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = ::archive_read_data_block(reader_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) return false;
    if (result != ARCHIVE_OK) fail();
    part = {static_cast<std::uint64_t>(offset), {static_cast<const char*>(data), size}};
    return true;
  }

 private:
  [[noreturn]] void fail() const {
    const char* text = ::archive_error_string(reader_.get());
    throw Error(ErrorCode::corrupt, text != nullptr ? to_utf8(text) : "the archive is damaged");
  }

  UniqueFd file_;
  std::uint64_t bytes_ = 0;
  std::unique_ptr<archive, FreeReader> reader_{::archive_read_new()};
};

std::string text_of(const char* text) {
  return text != nullptr ? text : "";
}

UnpackKind kind_of(archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return UnpackKind::hard_link;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return UnpackKind::file;
    case AE_IFDIR:
      return UnpackKind::directory;
    case AE_IFLNK:
      return UnpackKind::symlink;
    default:
      return UnpackKind::refused;
  }
}

UnpackEntry entry_of(archive_entry* read) {
  UnpackEntry entry;
  entry.path = text_of(::archive_entry_pathname(read));
  entry.kind = kind_of(read);
  entry.mode = ::archive_entry_perm(read);
  entry.uid = static_cast<std::uint64_t>(::archive_entry_uid(read));
  entry.gid = static_cast<std::uint64_t>(::archive_entry_gid(read));
  entry.seconds = ::archive_entry_mtime(read);
  entry.nanoseconds = static_cast<std::uint32_t>(::archive_entry_mtime_nsec(read));
  if (::archive_entry_size_is_set(read) != 0)
    entry.bytes = static_cast<std::uint64_t>(::archive_entry_size(read));
  if (entry.kind == UnpackKind::symlink) entry.target = text_of(::archive_entry_symlink(read));
  if (entry.kind == UnpackKind::hard_link) entry.target = text_of(::archive_entry_hardlink(read));
  return entry;
}

/// A file must be as long as its entry said, where it did.
class SizeCheck {
 public:
  SizeCheck(Reader& reader, archive_entry* read, const UnpackEntry& entry)
      : reader_(reader), entry_(entry), is_set_(::archive_entry_size_is_set(read) != 0) {}

  bool next(UnpackPart& part) {
    const bool more = reader_.read(part);
    if (more) size_ = part.offset + part.bytes.size();
    if (is_set_ && (more ? size_ > entry_.bytes : size_ < entry_.bytes))
      throw Error(ErrorCode::corrupt,
                  "entry " + in_quotes_safely(entry_.path) + " is not as long as it says");
    return more;
  }

 private:
  Reader& reader_;
  const UnpackEntry& entry_;
  bool is_set_;
  std::uint64_t size_ = 0;
};

char letter_of(UnpackKind kind) {
  switch (kind) {
    case UnpackKind::file:
      return 'f';
    case UnpackKind::directory:
      return 'd';
    case UnpackKind::symlink:
      return 'l';
    case UnpackKind::hard_link:
      return 'h';
    default:
      return '?';
  }
}

template <typename Body>
auto named(const std::filesystem::path& archive, std::string_view act, Body body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context("cannot " + std::string(act) + " " + in_quotes(archive.native()));
    throw;
  }
}

}  // namespace

UnpackReport unpack(const std::filesystem::path& archive, const std::filesystem::path& directory,
                    const UnpackOptions& options) {
  return named(archive, "unpack", [&] {
    const NameLocale locale;
    Reader reader(archive);
    UnpackTarget target(directory, options, reader.bytes(), false);
    try {
      while (archive_entry* read = reader.next()) {
        const UnpackEntry entry = entry_of(read);
        SizeCheck content(reader, read, entry);
        target.add(entry, [&content](UnpackPart& part) { return content.next(part); });
      }
    } catch (...) {
      // What is there stays, and is to be of use.
      try {
        target.finish();
      } catch (const Error& error) {
        log_debug("files", error.what());
      }
      throw;
    }
    return target.finish();
  });
}

std::vector<ArchiveEntry> list_archive(const std::filesystem::path& archive, const UnpackLimits& limits) {
  return named(archive, "list", [&] {
    const NameLocale locale;
    Reader reader(archive);
    std::vector<ArchiveEntry> list;
    while (archive_entry* read = reader.next()) {
      if (list.size() >= limits.entries)
        throw Error(ErrorCode::invalid_input,
                    "it has more than the " + std::to_string(limits.entries) + " entries that are allowed");
      UnpackEntry entry = entry_of(read);
      list.push_back({std::move(entry.path), entry.bytes, entry.mode, entry.seconds, letter_of(entry.kind),
                      std::move(entry.target)});
    }
    return list;
  });
}

}  // namespace runner
