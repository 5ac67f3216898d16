#include "runner/base/unpack_target.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"
#include "runner/base/unpack_paths.h"

namespace runner {
namespace {

constexpr std::uint64_t kRatioCountsFrom = 64ULL << 20U;
// Runs of zeros of at least this length become holes; looked for page by page.
constexpr std::uint64_t kHole = 64ULL << 10U;
constexpr std::uint64_t kPage = 4096;
constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[noreturn]] void refuse(std::string_view path, std::string_view why) {
  throw Error(ErrorCode::invalid_input, "entry " + in_quotes_safely(path) + " " + std::string(why));
}

bool is_zero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes.front() == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// A directory below `from`, no link followed and nothing left, also where `path` is several names. Empty
/// with errno set when it cannot be opened.
UniqueFd open_directory(int from, std::string_view path) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kDirectoryFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const std::string whole(path.empty() ? "." : path);
  const long opened = ::syscall(SYS_openat2, from, whole.c_str(), &how, sizeof how);
  if (opened >= 0) return UniqueFd(static_cast<int>(opened));
  // Old kernels and some container profiles do not have openat2: name by name then.
  if (errno != ENOSYS && errno != EPERM) return {};
  UniqueFd at(::openat(from, ".", kDirectoryFlags));
  for (const std::string_view name : split(path, '/')) {
    if (!at || name.empty()) break;
    at = UniqueFd(::openat(at.get(), std::string(name).c_str(), kDirectoryFlags));
  }
  return at;
}

/// Up to the end of the page the part begins in.
std::size_t first_page(const UnpackPart& part) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes.size(), kPage - part.offset % kPage));
}

void skip(UnpackPart& part, std::size_t length) {
  part.offset += length;
  part.bytes.remove_prefix(length);
}

/// How much of the part's beginning lies in pages that are not zero.
std::size_t data_length(UnpackPart part) {
  const std::size_t all = part.bytes.size();
  while (!part.bytes.empty() && !is_zero(part.bytes.substr(0, first_page(part))))
    skip(part, first_page(part));
  return all - part.bytes.size();
}

void write_at(int file, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("cannot write it");
    offset += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void write_zeros(int file, std::uint64_t from, std::uint64_t to) {
  static constexpr std::array<char, kHole> kZeros{};
  write_at(file, from, std::string_view(kZeros.data(), static_cast<std::size_t>(to - from)));
}

}  // namespace

std::string in_quotes_safely(std::string_view name) {
  constexpr std::size_t kLongest = 200;
  std::string shown = to_utf8(name.substr(0, kLongest));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (name.size() > kLongest) shown += "...";
  return in_quotes(shown);
}

struct UnpackTarget::Impl {
  struct Directory {
    std::string path;
    UnpackEntry entry;
  };

  Impl(const std::filesystem::path& directory, const UnpackOptions& given, std::uint64_t bytes, bool is_layer)
      : options(given), archive_bytes(bytes), layer(is_layer), paths(is_layer, given.limits.all_paths) {
    root.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw_errno("cannot open directory " + in_quotes(directory.native()));
    for (const std::string& path : options.only) only.push_back(inner_path(path, layer));
  }

  const UnpackOptions& options;
  const std::uint64_t archive_bytes;
  const bool layer;
  UniqueFd root;
  UnpackedPaths paths;
  std::vector<std::string> only;
  UnpackReport report;
  std::uint64_t entries = 0;
  std::uint64_t data = 0;  // what counts for the ratio
  std::vector<Directory> directories;
  std::string parent_path;  // of the entry before; most have the same
  UniqueFd parent;
  std::uint64_t replaced = 0;  // numbers the names beside files that are replaced

  void add(const UnpackEntry& entry, const std::function<bool(UnpackPart&)>& next);
  void add_named(const std::string& path, const UnpackEntry& entry,
                 const std::function<bool(UnpackPart&)>& next);
  bool is_wanted(const std::string& path) const;
  void check_size(const UnpackEntry& entry, std::uint64_t more) const;
  int directory_of(const std::string& path);
  UniqueFd make_directories_of(std::string_view path) const;
  void make_directory(const std::string& path, const UnpackEntry& entry);
  void make_file(const std::string& path, const UnpackEntry& entry,
                 const std::function<bool(UnpackPart&)>& next);
  std::uint64_t write_parts(int file, const UnpackEntry& entry, const std::function<bool(UnpackPart&)>& next);
  void make_symlink(const std::string& path, const UnpackEntry& entry);
  void make_hard_link(const std::string& path, const UnpackEntry& entry);
  void make_node(const std::string& path, const UnpackEntry& entry, mode_t type);
  void mark_opaque(const std::string& path);
  /// Calls make(directory, name), or with a name of ours that then takes the place of what is there.
  template <typename Make>
  void put(const std::string& path, Make make);
  void give(int file, const UnpackEntry& entry, mode_t mode) const;
  void give_in(int directory, const char* name, const UnpackEntry& entry) const;
};

bool UnpackTarget::Impl::is_wanted(const std::string& path) const {
  return only.empty() || std::ranges::any_of(only, [&path](const std::string& one) {
           return one.empty() || path == one || (path.starts_with(one) && path[one.size()] == '/');
         });
}

/// `more` bytes on top of what has been written.
void UnpackTarget::Impl::check_size(const UnpackEntry& entry, std::uint64_t more) const {
  const auto& limits = options.limits;
  if (more > limits.bytes || report.bytes > limits.bytes - more)
    refuse(entry.path, "makes it more than the " + format_bytes(limits.bytes) + " that are allowed");
  // Of a layer holes are no data: they take no place, and sparse files are nothing strange there.
  const std::uint64_t all = layer ? data : report.bytes + more;
  if (all > kRatioCountsFrom && all / limits.ratio > archive_bytes)
    refuse(entry.path, "makes it more than " + std::to_string(limits.ratio) +
                           " times the size of the archive, which is how archives are made to fill disks");
}

void UnpackTarget::Impl::add(const UnpackEntry& entry, const std::function<bool(UnpackPart&)>& next) {
  if (++entries > options.limits.entries)
    refuse(entry.path,
           "is one more than the " + std::to_string(options.limits.entries) + " entries that are allowed");
  if (entry.path.size() > options.limits.path_bytes)
    refuse(entry.path, "has a path of more than " + std::to_string(options.limits.path_bytes) + " bytes");
  const std::string path = inner_path(entry.path, layer);
  if (path.empty() && entry.kind != UnpackKind::directory && entry.kind != UnpackKind::opaque)
    refuse(entry.path, "has no name");
  if (!is_wanted(path)) return;
  try {
    add_named(path, entry, next);
  } catch (Error& error) {
    // What the system said is about a name of ours; the entry is what people know.
    if (error.system()) error.add_context("entry " + in_quotes_safely(entry.path));
    throw;
  }
}

void UnpackTarget::Impl::add_named(const std::string& path, const UnpackEntry& entry,
                                   const std::function<bool(UnpackPart&)>& next) {
  using Kind = UnpackedPaths::Kind;
  if (!layer && (entry.kind == UnpackKind::fifo || entry.kind == UnpackKind::whiteout ||
                 entry.kind == UnpackKind::opaque))
    refuse(entry.path, "is neither file, directory nor link");
  const auto take_note = [&](Kind kind) {
    if (!path.empty()) paths.add(path, kind);
    if (options.on_entry) options.on_entry(path, entry.bytes);
  };
  switch (entry.kind) {
    case UnpackKind::file:
      check_size(entry, entry.bytes);
      take_note(Kind::file);
      return make_file(path, entry, next);
    case UnpackKind::directory:
      take_note(Kind::directory);
      return make_directory(path, entry);
    case UnpackKind::symlink:
      if (!layer && !link_stays_inside(path, entry.target))
        refuse(entry.path,
               "is a symbolic link to " + in_quotes_safely(entry.target) + ", out of the directory");
      take_note(Kind::link);
      return make_symlink(path, entry);
    case UnpackKind::hard_link:
      if (!paths.is_file(inner_path(entry.target, layer)))
        refuse(entry.path, "is a hard link to " + in_quotes_safely(entry.target) +
                               ", which is no file that the archive brought before");
      take_note(Kind::file);
      return make_hard_link(path, entry);
    case UnpackKind::fifo:
      take_note(Kind::other);
      return make_node(path, entry, S_IFIFO);
    case UnpackKind::whiteout:
      take_note(Kind::other);
      return make_node(path, entry, S_IFCHR);
    case UnpackKind::opaque:
      return mark_opaque(path);
    case UnpackKind::refused:
      break;
  }
  refuse(entry.path, "is neither file, directory nor link");
}

/// The directory that `path` lies in, made when it is not there. Valid until the next call.
int UnpackTarget::Impl::directory_of(const std::string& path) {
  const std::string_view wanted = parent_of(path);
  if (parent && wanted == parent_path) return parent.get();
  parent = open_directory(root.get(), wanted);
  if (!parent && errno == ENOENT) parent = make_directories_of(wanted);
  if (!parent) throw_errno("cannot open its directory");
  parent_path = wanted;
  return parent.get();
}

/// From the top down: what is missing is made, what is there must be a directory.
UniqueFd UnpackTarget::Impl::make_directories_of(std::string_view path) const {
  UniqueFd at(::openat(root.get(), ".", kDirectoryFlags));
  for (const std::string_view part : split(path, '/')) {
    if (!at) break;
    const std::string name(part);
    if (::mkdirat(at.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      throw_errno("cannot make its directory");
    at = UniqueFd(::openat(at.get(), name.c_str(), kDirectoryFlags));
  }
  return at;
}

template <typename Make>
void UnpackTarget::Impl::put(const std::string& path, Make make) {
  const int directory = directory_of(path);
  const std::string name(name_of(path));
  if (make(directory, name.c_str())) return;
  if (errno != EEXIST || !options.overwrite) throw_errno("cannot make it");
  // Beside it first, then over it: what is there is not opened, and a link not followed.
  std::string other;
  try {
    do {
      other = ".unpacking-" + std::to_string(++replaced);
    } while (!make(directory, other.c_str()) && errno == EEXIST);
    if (::renameat(directory, other.c_str(), directory, name.c_str()) != 0)
      throw_errno("cannot replace what is there");
  } catch (...) {
    ::unlinkat(directory, other.c_str(), 0);
    throw;
  }
}

/// Owner, attributes, mode, time, in the order in which none undoes another.
void UnpackTarget::Impl::give(int file, const UnpackEntry& entry, mode_t mode) const {
  if (options.owners && ::geteuid() == 0 &&
      ::fchown(file, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)) != 0)
    throw_errno("cannot set its owner");
  for (const auto& [name, value] : entry.attributes)
    if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) != 0)
      throw_errno("cannot set its attribute " + in_quotes_safely(name));
  if (::fchmod(file, mode) != 0) throw_errno("cannot set its mode");
  const std::array<timespec, 2> times{
      {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = entry.seconds, .tv_nsec = entry.nanoseconds}}};
  if (::futimens(file, times.data()) != 0) throw_errno("cannot set its time");
}

/// The same for what cannot be opened.
void UnpackTarget::Impl::give_in(int directory, const char* name, const UnpackEntry& entry) const {
  if (options.owners && ::geteuid() == 0 &&
      ::fchownat(directory, name, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid),
                 AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot set its owner");
  const std::array<timespec, 2> times{
      {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = entry.seconds, .tv_nsec = entry.nanoseconds}}};
  if (::utimensat(directory, name, times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot set its time");
}

void UnpackTarget::Impl::make_directory(const std::string& path, const UnpackEntry& entry) {
  if (path.empty()) return;  // the directory itself stays as it is
  const int directory = directory_of(path);
  const std::string name(name_of(path));
  // Ours alone until the end: its mode may forbid us to write into it.
  if (::mkdirat(directory, name.c_str(), 0700) != 0) {
    if (errno != EEXIST) throw_errno("cannot make it");
    if (!UniqueFd(::openat(directory, name.c_str(), kDirectoryFlags)))
      throw_errno("cannot use what is there");
  }
  directories.push_back({path, entry});
  ++report.directories;
}

void UnpackTarget::Impl::make_file(const std::string& path, const UnpackEntry& entry,
                                   const std::function<bool(UnpackPart&)>& next) {
  put(path, [&](int directory, const char* name) {
    const UniqueFd file(
        ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return false;
    const std::uint64_t size = write_parts(file.get(), entry, next);
    if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) throw_errno("cannot write it");
    give(file.get(), entry, entry.mode & 0777U);
    return true;
  });
  ++report.files;
}

/// Its length.
std::uint64_t UnpackTarget::Impl::write_parts(int file, const UnpackEntry& entry,
                                              const std::function<bool(UnpackPart&)>& next) {
  const std::uint64_t before = report.bytes;
  std::uint64_t size = 0, written = 0;  // between the two there are zeros, so far
  for (UnpackPart part; next(part);) {
    if (part.offset < size)
      throw Error(ErrorCode::corrupt, "entry " + in_quotes_safely(entry.path) + " overlaps itself");
    check_size(entry, part.offset + part.bytes.size() - size);
    size = part.offset + part.bytes.size();
    report.bytes = before + size;
    while (!part.bytes.empty()) {
      const std::size_t length = data_length(part);
      if (length > 0) {
        if (part.offset - written < kHole) write_zeros(file, written, part.offset);
        data += length;
        if (layer) check_size(entry, 0);
        write_at(file, part.offset, part.bytes.substr(0, length));
        written = part.offset + length;
      }
      skip(part, length > 0 ? length : first_page(part));
    }
  }
  return size;
}

void UnpackTarget::Impl::make_symlink(const std::string& path, const UnpackEntry& entry) {
  put(path, [&](int directory, const char* name) {
    if (::symlinkat(entry.target.c_str(), directory, name) != 0) return false;
    give_in(directory, name, entry);
    return true;
  });
  ++report.links;
}

void UnpackTarget::Impl::make_hard_link(const std::string& path, const UnpackEntry& entry) {
  const std::string target = inner_path(entry.target, layer);
  const UniqueFd from = open_directory(root.get(), parent_of(target));
  if (!from) throw_errno("cannot open the directory of " + in_quotes_safely(target));
  const std::string target_name(name_of(target));
  put(path, [&](int directory, const char* name) {
    return ::linkat(from.get(), target_name.c_str(), directory, name, 0) == 0;
  });
  ++report.links;
}

void UnpackTarget::Impl::make_node(const std::string& path, const UnpackEntry& entry, mode_t type) {
  put(path, [&](int directory, const char* name) {
    if (::mknodat(directory, name, type == S_IFIFO ? type | 0600U : type, ::makedev(0, 0)) != 0) return false;
    if (type != S_IFIFO) return true;
    if (::fchmodat(directory, name, entry.mode & 0777U, 0) != 0) throw_errno("cannot set its mode");
    give_in(directory, name, entry);
    return true;
  });
}

void UnpackTarget::Impl::mark_opaque(const std::string& path) {
  const UniqueFd directory = open_directory(root.get(), path);
  if (!directory) throw_errno("cannot open it");
  if (::fsetxattr(directory.get(), kOpaqueAttribute, "y", 1, 0) != 0) throw_errno("cannot mark it opaque");
}

UnpackTarget::UnpackTarget(const std::filesystem::path& directory, const UnpackOptions& options,
                           std::uint64_t archive_bytes, bool layer)
    : impl_(std::make_unique<Impl>(directory, options, archive_bytes, layer)) {}

UnpackTarget::~UnpackTarget() = default;

void UnpackTarget::add(const UnpackEntry& entry, const std::function<bool(UnpackPart&)>& next) {
  impl_->add(entry, next);
}

UnpackReport UnpackTarget::finish() {
  // What lies in a directory before the directory: its mode may close it.
  std::ranges::sort(impl_->directories, std::ranges::greater{}, &Impl::Directory::path);
  for (const auto& [path, entry] : impl_->directories) {
    const UniqueFd directory = open_directory(impl_->root.get(), path);
    if (!directory) throw_errno("cannot open directory " + in_quotes_safely(entry.path));
    impl_->give(directory.get(), entry, entry.mode & 01777U);
  }
  impl_->directories.clear();
  return impl_->report;
}

}  // namespace runner
