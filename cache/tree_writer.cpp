#include "cache/tree_writer.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

std::array<timespec, 2> times_of(const struct stat& info) {
  return {info.st_atim, info.st_mtim};
}

void keep_owner(const fs::path& path, const struct stat& info) {
  // Only root can give files away; anybody else's copy is their own.
  if (::geteuid() != 0 || (info.st_uid == 0 && info.st_gid == 0)) return;
  if (::lchown(path.c_str(), info.st_uid, info.st_gid) != 0)
    throw_errno("cannot set the owner of " + in_quotes(path.native()));
}

void copy_symlink(const fs::path& from, const struct stat& info, const fs::path& to) {
  std::string target(static_cast<std::size_t>(info.st_size) + 1, '\0');
  for (;;) {
    const auto length = ::readlink(from.c_str(), target.data(), target.size());
    if (length < 0) throw_errno("cannot read link " + in_quotes(from.native()));
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      break;
    }
    target.resize(target.size() * 2);
  }
  if (::symlink(target.c_str(), to.c_str()) != 0) throw_errno("cannot make link " + in_quotes(to.native()));
  keep_owner(to, info);
  ::utimensat(AT_FDCWD, to.c_str(), times_of(info).data(), AT_SYMLINK_NOFOLLOW);
}

void make_fifo(const fs::path& to, const struct stat& info) {
  if (::mkfifo(to.c_str(), 0600) != 0) throw_errno("cannot make FIFO " + in_quotes(to.native()));
  keep_owner(to, info);
  if (::chmod(to.c_str(), info.st_mode & 07777U) != 0)
    throw_errno("cannot set the mode of " + in_quotes(to.native()));
  ::utimensat(AT_FDCWD, to.c_str(), times_of(info).data(), AT_SYMLINK_NOFOLLOW);
}

bool linking_is_impossible(int error) {
  return error == EXDEV || error == EMLINK || error == EPERM;
}

}  // namespace

struct stat stat_entry(const TreeEntry& entry) {
  struct stat info {};
  if (::lstat(entry.real.c_str(), &info) != 0) throw_errno("cannot read " + in_quotes(entry.real));
  return info;
}

void TreeWriter::add(const TreeEntry& entry, const struct stat& info, Content content) {
  const fs::path to = destination_ / entry.path;
  switch (entry.type) {
    case EntryType::directory:
      if (::mkdir(to.c_str(), 0700) != 0) throw_errno("cannot make directory " + in_quotes(to.native()));
      copy_attributes(entry.real, to);
      directories_.push_back({to, info});
      return;
    case EntryType::symlink:
      if (content == Content::link && ::link(entry.real.c_str(), to.c_str()) == 0) return;
      return copy_symlink(entry.real, info, to);
    case EntryType::file:
      return add_file(entry, info, to, content);
    case EntryType::other:
      if (S_ISFIFO(info.st_mode)) make_fifo(to, info);
      return;
  }
}

void TreeWriter::add_file(const TreeEntry& entry, const struct stat& info, const fs::path& to,
                          Content content) {
  if (content == Content::link) {
    if (::link(entry.real.c_str(), to.c_str()) == 0) return;
    if (!linking_is_impossible(errno)) throw_errno("cannot link " + in_quotes(entry.real));
  }
  FileCopy copy{entry.real, info, to};
  if (info.st_nlink > 1) {
    const auto [known, is_new] = copied_.try_emplace({info.st_dev, info.st_ino}, copy);
    // Not now: the first one may still be waiting for its turn.
    if (!is_new) {
      further_names_.emplace_back(&known->second, to);
      return;
    }
  }
  crew_.add(std::move(copy));
}

void TreeWriter::add_whiteout(const std::string& path) {
  const fs::path to = destination_ / path;
  if (!whiteout_.empty() && ::link(whiteout_.c_str(), to.c_str()) == 0) return;
  if (::mknod(to.c_str(), S_IFCHR, makedev(0, 0)) != 0)
    throw_errno("cannot make whiteout " + in_quotes(to.native()));
  whiteout_ = to;
}

void TreeWriter::make_opaque(const std::string& path) {
  const fs::path to = destination_ / path;
  if (::setxattr(to.c_str(), kOpaqueAttribute, "y", 1, 0) != 0)
    throw_errno("cannot make directory " + in_quotes(to.native()) + " opaque");
}

void TreeWriter::link_further_names() {
  CloneMemory memory;
  for (const auto& [first, to] : further_names_) {
    if (::link(first->to.c_str(), to.c_str()) == 0) continue;
    if (!linking_is_impossible(errno)) throw_errno("cannot make " + in_quotes(to.native()));
    copy_file({first->from, first->info, to}, memory);
  }
}

void TreeWriter::finish_files() {
  crew_.finish();
  link_further_names();
}

void TreeWriter::finish(const struct stat& root) {
  finish_files();
  directories_.insert(directories_.begin(), {destination_, root});
  // Children first: writing into a directory changes its time and needs its write permission.
  for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
    keep_owner(directory->path, directory->info);
    if (::chmod(directory->path.c_str(), directory->info.st_mode & 07777U) != 0) {
      throw_errno("cannot set the mode of " + in_quotes(directory->path.native()));
    }
    ::utimensat(AT_FDCWD, directory->path.c_str(), times_of(directory->info).data(), 0);
  }
}

}  // namespace runner::cache
