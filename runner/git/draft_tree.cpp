#include "runner/git/draft_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::git {
namespace {

constexpr std::uint64_t kBlock = 512;

[[noreturn]] void cannot_write(const std::string& path) {
  throw_errno("cannot write " + in_quotes(to_utf8(path)) + " of the commit");
}

}  // namespace

DraftTree::DraftTree(const std::filesystem::path& tree, const timespec& mtime)
    : tree_(tree), root_(::open(tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), mtime_(mtime) {
  if (!root_) throw_errno("cannot open " + in_quotes(tree.native()));
}

void DraftTree::make_directory(const std::string& path) {
  if (!directories_.insert(path).second) return;
  make_parents(path);
  struct stat info {};
  if (::mkdirat(root_.get(), path.c_str(), 0755) != 0 ||
      ::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    cannot_write(path);
  }
  if ((info.st_mode & 07777U) != 0755 && ::fchmodat(root_.get(), path.c_str(), 0755, 0) != 0)
    cannot_write(path);
  content_.disk += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
}

void DraftTree::make_parents(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || directories_.find(path.substr(0, slash)) != directories_.end())
    return;
  make_directory(std::string(path.substr(0, slash)));
}

void DraftTree::whiteout(const std::string& path) {
  make_parents(path);
  if (::mknodat(root_.get(), path.c_str(), S_IFCHR | 0600U, makedev(0, 0)) != 0) cannot_write(path);
  content_.hides.push_back(path);
}

void DraftTree::link(const std::filesystem::path& from, const std::string& path) {
  make_parents(path);
  struct stat info {};
  if (::linkat(AT_FDCWD, from.c_str(), root_.get(), path.c_str(), 0) != 0 ||
      ::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    cannot_write(path);
  }
  ++content_.files;
  content_.bytes += static_cast<std::uint64_t>(info.st_size);
}

UniqueFd DraftTree::create_file(const std::string& path, bool executable) const {
  UniqueFd file(::openat(root_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         executable ? 0755 : 0644));
  if (!file) cannot_write(path);
  return file;
}

DraftTree::Written DraftTree::finish_file(int fd, const std::string& path, bool executable) const {
  struct stat info {};
  const mode_t mode = executable ? 0755 : 0644;
  const std::array<timespec, 2> times = {mtime_, mtime_};
  if (::futimens(fd, times.data()) != 0 || ::fstat(fd, &info) != 0) cannot_write(path);
  if ((info.st_mode & 07777U) != mode && ::fchmod(fd, mode) != 0) cannot_write(path);
  return {static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_blocks) * kBlock};
}

DraftTree::Written DraftTree::write_file(const std::string& path, std::string_view content,
                                         bool executable) const {
  const UniqueFd file = create_file(path, executable);
  write_all(file.get(), content);
  return finish_file(file.get(), path, executable);
}

DraftTree::Written DraftTree::write_link(const std::string& path, const std::string& target) const {
  if (target.find('\0') != std::string::npos)
    throw Error(ErrorCode::invalid_input,
                "the link " + in_quotes(to_utf8(path)) + " of the commit has a NUL in it");
  if (::symlinkat(target.c_str(), root_.get(), path.c_str()) != 0) cannot_write(path);
  const std::array<timespec, 2> times = {mtime_, mtime_};
  if (::utimensat(root_.get(), path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) cannot_write(path);
  return {target.size(), 0};
}

DraftTree::Written DraftTree::write_undated(const std::string& path, std::string_view content) const {
  const UniqueFd file = create_file(path, false);
  write_all(file.get(), content);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) cannot_write(path);
  return {static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_blocks) * kBlock};
}

void DraftTree::count(const Written& written) {
  ++content_.files;
  content_.bytes += written.bytes;
  content_.disk += written.disk;
}

}  // namespace runner::git
