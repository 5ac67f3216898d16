#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "artifacts/archive_output.h"
#include "artifacts/artifacts.h"
#include "artifacts/directory_cursor.h"
#include "artifacts/file_copies.h"
#include "artifacts/hidden_file.h"
#include "artifacts/zip_writer.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/layered_tree.h"
#include "runner/base/name_locale.h"
#include "runner/base/opened_up.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace fs = std::filesystem;
namespace {

/// An exception waits until libarchive has returned.
struct Output {
  ArchiveOutput& archive;
  std::exception_ptr failure;
};

la_ssize_t write_output(archive* /*unused*/, void* context, const void* data, std::size_t size) {
  auto* output = static_cast<Output*>(context);
  try {
    output->archive.write(std::string_view(static_cast<const char*>(data), size));
    return static_cast<la_ssize_t>(size);
  } catch (...) {
    output->failure = std::current_exception();
    return -1;
  }
}

struct FreeArchive {
  void operator()(archive* writer) const noexcept { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const noexcept { archive_entry_free(entry); }
};

class TarWriter {
 public:
  TarWriter(ArchiveOutput& output, const OpenedTrees& opened, int compression,
            const std::function<bool()>& stop)
      : output_{output, nullptr}, opened_(opened), stop_(stop), writer_(archive_write_new()) {
    if (!writer_) throw Error(ErrorCode::unavailable, "out of memory");
    check(archive_write_set_format_pax_restricted(writer_.get()));
    check(archive_write_add_filter_zstd(writer_.get()));
    const std::string level = std::to_string(std::max(compression, 1));
    check(archive_write_set_filter_option(writer_.get(), "zstd", "compression-level", level.c_str()));
    // The bytes are the same for any number of threads but none.
    const std::string threads = std::to_string(std::clamp(std::thread::hardware_concurrency(), 1U, 8U));
    check(archive_write_set_filter_option(writer_.get(), "zstd", "threads", threads.c_str()));
    check(archive_write_set_bytes_in_last_block(writer_.get(), 1));  // no padding
    check(archive_write_open(writer_.get(), &output_, nullptr, write_output, nullptr));
  }

  void add(const TreeEntry& entry, int parent, const std::string& name) {
    if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "it was stopped");
    struct stat info = look_at(parent, name);
    UniqueFd content;
    if (S_ISREG(info.st_mode)) {
      content.reset(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!content || ::fstat(content.get(), &info) != 0) throw_errno("cannot open it");
    }
    opened_.correct(info);
    const std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new2(writer_.get()));
    if (!header) throw Error(ErrorCode::unavailable, "out of memory");
    archive_entry_copy_pathname(header.get(), entry.path.c_str());
    archive_entry_set_mode(header.get(), info.st_mode);
    archive_entry_set_mtime(header.get(), info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    archive_entry_set_uid(header.get(), 0);
    archive_entry_set_gid(header.get(), 0);
    if (S_ISREG(info.st_mode)) {
      archive_entry_set_size(header.get(), info.st_size);
    } else if (S_ISLNK(info.st_mode)) {
      archive_entry_copy_symlink(header.get(), read_link(parent, name).c_str());
    } else if (!S_ISDIR(info.st_mode)) {
      throw Error(ErrorCode::invalid_input, "it is neither file, directory nor link");
    }
    check(archive_write_header(writer_.get(), header.get()));
    if (content) copy_content(content.get(), static_cast<std::uint64_t>(info.st_size));
    check(archive_write_finish_entry(writer_.get()));
  }

  void close() { check(archive_write_close(writer_.get())); }

 private:
  void copy_content(int fd, std::uint64_t size) {
    while (size > 0) {
      if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "it was stopped");
      const auto got = ::read(fd, buffer_.data(), std::min<std::uint64_t>(buffer_.size(), size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read it");
      if (got == 0) throw Error(ErrorCode::conflict, "it became shorter while it was read");
      const auto written = archive_write_data(writer_.get(), buffer_.data(), static_cast<std::size_t>(got));
      if (written < 0) check(static_cast<int>(written));
      size -= static_cast<std::uint64_t>(got);
    }
  }

  /// Warnings are about what an archive cannot express, such as a name that is no UTF-8; it is stored all the
  /// same.
  void check(int result) {
    if (output_.failure) std::rethrow_exception(std::exchange(output_.failure, nullptr));
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    const char* text = archive_error_string(writer_.get());
    throw Error(ErrorCode::internal, text != nullptr ? text : "cannot write the archive");
  }

  Output output_;
  const OpenedTrees& opened_;
  const std::function<bool()>& stop_;
  std::unique_ptr<archive, FreeArchive> writer_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{128} << 10U);
};

/// All entries of a plain tree, sorted by path.
std::vector<TreeEntry> entries_of(const fs::path& tree) {
  const std::vector<std::string> everything = {"."};
  return select_paths(LayeredTree({tree}), everything, {}, "/").entries;
}

void write_tar(const fs::path& tree, std::span<const TreeEntry> entries, const OpenedTrees& opened,
               int compression, const std::function<bool()>& stop, ArchiveOutput& output) {
  const NameLocale names;
  TarWriter writer(output, opened, compression, stop);
  DirectoryCursor directories(tree, DirectoryCursor::Missing::fail);
  for (const TreeEntry& entry : entries) {
    try {
      names.use_for(entry.path);
      const auto [parent, name] = split_name(entry.path);
      writer.add(entry, directories.at(parent), name);
    } catch (Error& error) {
      if (error.code() != ErrorCode::cancelled) error.add_context("while packing " + in_quotes(entry.path));
      throw;
    }
  }
  writer.close();
}

ArchiveInfo pack(const fs::path& tree, const fs::path& root, ArchiveFormat format, int compression,
                 const std::function<bool()>& stop) {
  ArchiveInfo info;
  make_directories(root);
  HiddenFile file(root);
  ArchiveOutput output;
  output.fd = file.fd();
  OpenedTrees opened;
  opened.open(tree, stop);
  const std::vector<TreeEntry> entries = entries_of(tree);
  if (format == ArchiveFormat::zip) {
    zip::write(tree, entries, opened, compression, stop, output);
  } else {
    write_tar(tree, entries, opened, compression, stop, output);
  }
  failpoint("artifacts.written");
  info.files =
      static_cast<std::uint64_t>(std::count_if(entries.begin(), entries.end(), [](const TreeEntry& entry) {
        return entry.type != EntryType::directory;
      }));
  info.sha256 = output.digest.finish_hex();
  info.bytes = output.bytes;
  const fs::path directory = root / info.sha256.substr(0, 2);
  make_directories(directory);
  info.path = directory / (info.sha256 + std::string(extension_of(format)));
  file.publish(info.path);
  return info;
}

}  // namespace

std::string_view extension_of(ArchiveFormat format) noexcept {
  return format == ArchiveFormat::zip ? ".zip" : ".tar.zst";
}

ArchiveInfo write_archive(const fs::path& tree, const fs::path& root, ArchiveFormat format, int compression,
                          const std::function<bool()>& stop) {
  try {
    return pack(tree, root, format, compression, stop);
  } catch (Error& error) {
    error.add_context("while packing " + in_quotes(tree.native()));
    throw;
  }
}

}  // namespace runner::artifacts
