#include "tests/base/archive_maker.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <stdexcept>

namespace runner::test {
namespace {

unsigned type_of(char type) {
  switch (type) {
    case 'd':
      return S_IFDIR;
    case 'l':
      return S_IFLNK;
    case 'p':
      return S_IFIFO;
    case 'c':
      return S_IFCHR;
    case 's':
      return S_IFSOCK;
    default:
      return S_IFREG;
  }
}

void check(archive* writer, la_ssize_t result) {
  if (result < ARCHIVE_OK && result != ARCHIVE_WARN) throw std::runtime_error(::archive_error_string(writer));
}

void set_format(archive* writer, ArchiveFormat format) {
  if (format == ArchiveFormat::zip) {
    check(writer, ::archive_write_set_format_zip(writer));
    return;
  }
  check(writer, ::archive_write_set_format_pax_restricted(writer));
  if (format == ArchiveFormat::tar_gz) check(writer, ::archive_write_add_filter_gzip(writer));
  if (format == ArchiveFormat::tar_xz) check(writer, ::archive_write_add_filter_xz(writer));
  if (format == ArchiveFormat::tar_zst) check(writer, ::archive_write_add_filter_zstd(writer));
}

void write_entry(archive* writer, const MadeEntry& made) {
  archive_entry* entry = ::archive_entry_new();
  ::archive_entry_set_pathname(entry, made.path.c_str());
  ::archive_entry_set_filetype(entry, type_of(made.type));
  ::archive_entry_set_perm(entry, made.mode);
  ::archive_entry_set_mtime(entry, made.modified, 0);
  if (made.type == 'l') ::archive_entry_set_symlink(entry, made.target.c_str());
  if (made.type == 'h') ::archive_entry_set_hardlink(entry, made.target.c_str());
  if (made.type == 'c') ::archive_entry_set_rdev(entry, 0x0103);
  if (made.has_size) ::archive_entry_set_size(entry, static_cast<la_int64_t>(made.content.size()));
  check(writer, ::archive_write_header(writer, entry));
  if (!made.content.empty())
    check(writer, ::archive_write_data(writer, made.content.data(), made.content.size()));
  ::archive_entry_free(entry);
}

}  // namespace

std::string to_string(ArchiveFormat format) {
  switch (format) {
    case ArchiveFormat::tar:
      return "tar";
    case ArchiveFormat::tar_gz:
      return "tar.gz";
    case ArchiveFormat::tar_xz:
      return "tar.xz";
    case ArchiveFormat::tar_zst:
      return "tar.zst";
    default:
      return "zip";
  }
}

void make_archive(const std::filesystem::path& file, ArchiveFormat format,
                  const std::vector<MadeEntry>& entries, const std::string& options) {
  archive* writer = ::archive_write_new();
  set_format(writer, format);
  if (!options.empty()) check(writer, ::archive_write_set_options(writer, options.c_str()));
  check(writer, ::archive_write_open_filename(writer, file.c_str()));
  for (const auto& entry : entries) write_entry(writer, entry);
  check(writer, ::archive_write_close(writer));
  ::archive_write_free(writer);
}

}  // namespace runner::test
