#include "cache/draft_filler.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<fs::path> all_layers(const CacheSource& workspace) {
  std::vector<fs::path> all{workspace.upper};
  all.insert(all.end(), workspace.lowers.begin(), workspace.lowers.end());
  return all;
}

EntryType type_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return EntryType::file;
  if (S_ISDIR(mode)) return EntryType::directory;
  if (S_ISLNK(mode)) return EntryType::symlink;
  return EntryType::other;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

const char* or_dot(const std::string& path) {
  return path.empty() ? "." : path.c_str();
}

}  // namespace

DraftFiller::DraftFiller(const fs::path& tree, Source source, std::span<const fs::path> stack)
    : tree_(tree),
      source_(std::move(source)),
      layers_(stack.begin(), stack.end()),
      stack_(stack),
      seen_(all_layers(source_.workspace)),
      root_(::open(tree.c_str(), kDirectoryFlags)),
      writer_(tree) {
  if (!root_) throw_errno("cannot open " + in_quotes(tree.native()));
}

// --- filling -----------------------------------------------------------------------------------------------

void DraftFiller::apply(const Changes& changes) {
  // How the parents look is asked before anything leaves the workspace.
  for (const std::string& path : changes.taken) note_parents(path);
  for (const std::string& path : changes.whiteouts) note_parents(path);
  for (const std::string& path : changes.cut) note_parents(path + "/");
  for (const TreeEntry& entry : changes.added) note_parents(entry.path);
  failpoint("caches.begun");
  for (const std::string& path : changes.taken) {
    make_parents(path);
    take(path);
  }
  keep_opened_modes();
  failpoint("caches.moved");
  for (const std::string& path : changes.whiteouts) {
    make_parents(path);
    make_whiteout(path);
  }
  for (const std::string& path : changes.cut) {
    make_parents(path + "/");
    writer_.make_opaque(path);
  }
  for (const TreeEntry& entry : changes.added) add(entry, source_.owns(entry.real));
}

void DraftFiller::note_parents(std::string_view path) {
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const std::string parent(path.substr(0, slash));
    if (looks_.contains(parent)) continue;
    const auto seen = seen_.find(parent);
    if (!seen || !S_ISDIR(seen->info.st_mode))
      throw Error(ErrorCode::conflict, in_quotes(parent) + " went away while it was saved");
    looks_.emplace(parent, seen->info);
  }
}

void DraftFiller::make_parents(std::string_view path) {
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const std::string parent(path.substr(0, slash));
    if (parents_.contains(parent)) continue;
    if (::mkdirat(root_.get(), parent.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      throw_errno("cannot make directory " + in_quotes(parent));
    }
    parents_.insert(parent);
    wanted_.emplace(parent, looks_.at(parent));
  }
}

/// Directories that were opened up to be read or moved get their modes back in the draft.
void DraftFiller::keep_opened_modes() {
  for (const auto& [path, mode] : source_.opener.opened()) {
    struct stat info {};
    if (::fstatat(root_.get(), or_dot(path), &info, AT_SYMLINK_NOFOLLOW) != 0 || path.empty()) continue;
    info.st_mode = (info.st_mode & ~static_cast<mode_t>(07777)) | mode;
    wanted_.emplace(path, info);
  }
}

void DraftFiller::take(const std::string& path) {
  if (!source_.workspace.may_move) return link_tree(path);
  touch(parent_of(path));
  const auto move = [&] { return ::renameat(source_.upper, path.c_str(), root_.get(), path.c_str()) == 0; };
  struct stat info {};
  if (::fstatat(source_.upper, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot look at " + in_quotes(path));
  bool moved = move();
  if (!moved && (errno == EACCES || errno == EPERM)) {
    // A directory that is moved must be writable itself, and so must the one it leaves.
    source_.opener.make_writable(parent_of(path));
    if (S_ISDIR(info.st_mode)) source_.opener.make_writable(path);
    moved = move();
  }
  if (moved) {
    moved_ = true;
  } else if (errno == EXDEV) {
    link_tree(path);
  } else {
    throw_errno("cannot move " + in_quotes(path) + " out of the workspace");
  }
}

/// The same by links, or by copies from another file system; the workspace keeps its own.
void DraftFiller::link_tree(const std::string& path) {
  struct stat info {};
  if (::fstatat(source_.upper, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot look at " + in_quotes(path));
  if (is_whiteout(info)) return make_whiteout(path);
  if (!S_ISDIR(info.st_mode)) {
    // In a copied workspace a further name may lie anywhere, where somebody goes on writing to it.
    const bool own = !copied_workspace() || info.st_nlink == 1;
    return writer_.add({path, type_of(info.st_mode), 0, (source_.workspace.upper / path).string()}, info,
                       own ? TreeWriter::Content::link : TreeWriter::Content::copy);
  }
  if (::mkdirat(root_.get(), path.c_str(), 0700) != 0 && errno != EEXIST)
    throw_errno("cannot make directory " + in_quotes(path));
  parents_.erase(path);
  wanted_.insert_or_assign(path, info);
  const UniqueFd fd = source_.opener.open(path);
  if (is_opaque(fd.get())) writer_.make_opaque(path);
  for (const std::string& name : names_in(fd.get(), path)) link_tree(path + "/" + name);
}

void DraftFiller::add(const TreeEntry& entry, bool may_link) {
  note_parents(entry.path);
  make_parents(entry.path);
  touch(parent_of(entry.path));
  struct stat info = stat_entry(entry);
  if (source_.opened != nullptr) source_.opened->correct(info);
  if (entry.type == EntryType::directory) {
    if (::mkdirat(root_.get(), entry.path.c_str(), 0700) == 0) {
      wanted_.emplace(entry.path, info);
    } else if (errno != EEXIST) {
      throw_errno("cannot make directory " + in_quotes(entry.path));
    }
    parents_.erase(entry.path);
    return;
  }
  struct stat there {};
  if (::fstatat(root_.get(), entry.path.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) return;
  writer_.add(entry, info, may_link ? TreeWriter::Content::link : TreeWriter::Content::copy);
}

/// The directory is about to change: remembers how it looks, and makes it writable.
void DraftFiller::touch(const std::string& directory) {
  if (directory.empty() || wanted_.contains(directory)) return;
  struct stat info {};
  if (::fstatat(root_.get(), directory.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot look at " + in_quotes(directory));
  const auto opened = source_.opener.opened().find(directory);
  if (opened != source_.opener.opened().end())
    info.st_mode = (info.st_mode & ~static_cast<mode_t>(07777)) | opened->second;
  wanted_.emplace(directory, info);
  if ((info.st_mode & 0700U) != 0700U) ::fchmodat(root_.get(), directory.c_str(), 0700, 0);
}

void DraftFiller::make_whiteout(const std::string& path) {
  touch(parent_of(path));
  writer_.add_whiteout(path);
}

// --- tidying up --------------------------------------------------------------------------------------------

DraftResult DraftFiller::finish(const struct stat& root) {
  writer_.finish_files();
  failpoint("caches.filled");
  if (!layers_.empty()) {
    result_.covers = covers("", LayeredTree(layers_));
    // Nothing of the stack is seen any more: then nothing needs to be hidden either.
    if (result_.covers) stack_ = StackCursor(std::span<const fs::path>());
  } else {
    result_.covers = true;
  }
  tidy("", false);
  if (moved_ && copied_workspace()) part_from_outside();
  failpoint("caches.tidied");
  restore_directories(root);
  result_.empty = names_in(root_.get(), "").empty();
  return std::move(result_);
}

/// Whether the draft shows nothing of the stack at and below a directory.
bool DraftFiller::covers(const std::string& directory, const LayeredTree& stack) {
  const std::vector<TreeEntry> children = stack.list(directory);
  return std::all_of(children.begin(), children.end(), [&](const TreeEntry& child) {
    struct stat info {};
    if (::fstatat(root_.get(), child.path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (!S_ISDIR(info.st_mode) || child.type != EntryType::directory) return true;
    if (parents_.contains(child.path)) return covers(child.path, stack);
    const UniqueFd fd(::openat(root_.get(), child.path.c_str(), kDirectoryFlags));
    return fd && is_opaque(fd.get());
  });
}

void DraftFiller::tidy(const std::string& directory, bool hidden) {
  UniqueFd fd(::openat(root_.get(), or_dot(directory), kDirectoryFlags));
  if (!fd || ::faccessat(fd.get(), ".", X_OK, AT_EACCESS) != 0) {
    if (errno != EACCES) throw_errno("cannot open directory " + in_quotes(directory));
    touch(directory);
    fd.reset(::openat(root_.get(), or_dot(directory), kDirectoryFlags));
    if (!fd) throw_errno("cannot open directory " + in_quotes(directory));
  }
  for (const std::string& name : names_in(fd.get(), directory)) {
    tidy_child(directory.empty() ? name : directory + "/" + name, hidden);
  }
}

void DraftFiller::tidy_child(const std::string& path, bool hidden) {
  struct stat info {};
  if (::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot look at " + in_quotes(path));
  if (S_ISDIR(info.st_mode)) return tidy_directory(path, info, hidden);
  if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode) || S_ISFIFO(info.st_mode))
    return count_file(path, info, hidden);
  // Whiteouts, and what cannot be kept: sockets and devices.
  const auto shown = hidden ? std::nullopt : stack_.find(path);
  if (!shown || !is_whiteout(info)) {
    touch(parent_of(path));
    if (::unlinkat(root_.get(), path.c_str(), 0) != 0) throw_errno("cannot remove " + in_quotes(path));
    if (shown) make_whiteout(path);
  }
  if (!shown) return;
  count_hidden(path, *shown);
  result_.content.hides.push_back(path);
}

void DraftFiller::tidy_directory(const std::string& path, const struct stat& info, bool hidden) {
  drop_overlay_marks(path, info);
  const std::size_t hides = result_.content.hides.size();
  const auto shown = hidden ? std::nullopt : stack_.find(path);
  bool below_hidden = !shown;
  bool opaque = false;
  {
    const UniqueFd fd(::openat(root_.get(), path.c_str(), kDirectoryFlags));
    opaque = fd && is_opaque(fd.get());
  }
  if (shown && !S_ISDIR(shown->info.st_mode)) {
    // Where the stack has a file the merge of directories ends, for those under the stack as well.
    if (!opaque) writer_.make_opaque(path);
    count_hidden(path, *shown);
    result_.content.hides.push_back(path + "/");
    below_hidden = true;
  } else if (opaque) {
    if (shown && stack_.has_content(path)) {
      count_hidden(path, *shown);
      result_.content.hides.push_back(path + "/");
    } else {
      // By path: removing an attribute needs the right to write, and an owner can give it.
      if (::removexattr((tree_ / path).c_str(), kOpaqueAttribute) != 0) {
        touch(path);
        if (::removexattr((tree_ / path).c_str(), kOpaqueAttribute) != 0)
          throw_errno("cannot remove a mark of " + in_quotes(path));
      }
    }
    below_hidden = true;
  }
  tidy(path, below_hidden);
  if (parents_.contains(path)) prune(path, hides);
}

/// A directory that was made for what lies below it goes when nothing does.
void DraftFiller::prune(const std::string& path, std::size_t hides) {
  const UniqueFd fd(::openat(root_.get(), path.c_str(), kDirectoryFlags));
  if (!fd) throw_errno("cannot open directory " + in_quotes(path));
  const std::vector<std::string> names = names_in(fd.get(), path);
  for (const std::string& name : names) {
    struct stat info {};
    if (::fstatat(fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !is_whiteout(info)) return;
  }
  auto shown = stack_.find(path);
  if (shown && !is_opaque(fd.get())) {
    for (const TreeEntry& child : LayeredTree(layers_).list(path)) {
      const std::string name = child.path.substr(path.size() + 1);
      if (std::binary_search(names.begin(), names.end(), name)) continue;
      if (!names.empty()) return;
      shown.reset();  // the stack's own directory does
      break;
    }
  }
  for (const std::string& name : names) {
    if (::unlinkat(fd.get(), name.c_str(), 0) != 0) throw_errno("cannot remove " + in_quotes(name));
  }
  touch(parent_of(path));
  if (::unlinkat(root_.get(), path.c_str(), AT_REMOVEDIR) != 0)
    throw_errno("cannot remove " + in_quotes(path));
  wanted_.erase(path);
  result_.content.hides.resize(hides);
  if (!shown) return;
  make_whiteout(path);
  result_.content.hides.push_back(path);
}

void DraftFiller::count_file(const std::string& path, const struct stat& info, bool hidden) {
  drop_overlay_marks(path, info);
  Draft::Content& content = result_.content;
  const std::uint64_t size = S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
  ++content.files;
  content.bytes += size;
  bool first = true;
  if (info.st_nlink > 1) {
    Names& names = several_[{info.st_dev, info.st_ino}];
    first = names.paths.empty();
    names.info = info;
    names.paths.push_back(path);
  }
  if (first) content.disk += static_cast<std::uint64_t>(info.st_blocks) * 512;
  const auto shown = hidden ? std::nullopt : stack_.find(path);
  if (!shown) return;
  if (S_ISDIR(shown->info.st_mode)) return count_hidden(path, *shown);
  ++result_.replaced_files;
  if (S_ISREG(shown->info.st_mode)) result_.replaced_bytes += static_cast<std::uint64_t>(shown->info.st_size);
}

void DraftFiller::count_hidden(const std::string& path, const Shown& shown) {
  const auto count = [&](const struct stat& info) {
    ++result_.removed_files;
    if (S_ISREG(info.st_mode)) result_.removed_bytes += static_cast<std::uint64_t>(info.st_size);
  };
  if (!S_ISDIR(shown.info.st_mode)) return count(shown.info);
  LayeredTree(layers_).walk(
      path,
      [&](const TreeEntry& entry) {
        if (entry.type != EntryType::directory) count(stat_entry(entry));
      },
      [](const TreeEntry&) { return true; });
}

/// What overlayfs notes about where a file came from says nothing in a layer.
void DraftFiller::drop_overlay_marks(const std::string& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return;
  const std::string real = (tree_ / path).string();
  std::array<char, 1024> some{};
  const ssize_t size = ::llistxattr(real.c_str(), some.data(), some.size());
  if (size == 0 || (size < 0 && errno != ERANGE)) return;
  std::vector<char> list(some.begin(), some.end());
  if (size < 0) list.resize(64U << 10U);
  const ssize_t all = size < 0 ? ::llistxattr(real.c_str(), list.data(), list.size()) : size;
  for (ssize_t at = 0; at < all;) {
    const std::string name = list.data() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (!name.starts_with("user.overlay.") || name == kOpaqueAttribute) continue;
    if (::lremovexattr(real.c_str(), name.c_str()) == 0) continue;
    // The owner may take away an attribute of a read-only file only after making it writable.
    const mode_t mode = info.st_mode & 07777U;
    const bool removed = errno == EACCES && ::fchmodat(root_.get(), path.c_str(), mode | 0600U, 0) == 0 &&
                         ::lremovexattr(real.c_str(), name.c_str()) == 0;
    if (!removed || ::fchmodat(root_.get(), path.c_str(), mode, 0) != 0)
      throw_errno("cannot remove a mark of " + in_quotes(path));
  }
}

/// Files of a copied workspace that have further names somewhere else become files of their own.
void DraftFiller::part_from_outside() {
  TreeWriter parted(tree_);
  std::vector<fs::path> aside;
  for (auto& [inode, names] : several_) {
    if (names.info.st_nlink == names.paths.size()) continue;
    aside.push_back(tree_.parent_path() / ("aside-" + std::to_string(aside.size())));
    for (const std::string& path : names.paths) touch(parent_of(path));
    if (::renameat(root_.get(), names.paths.front().c_str(), AT_FDCWD, aside.back().c_str()) != 0)
      throw_errno("cannot move " + in_quotes(names.paths.front()));
    for (const std::string& path : names.paths) {
      if (path != names.paths.front() && ::unlinkat(root_.get(), path.c_str(), 0) != 0)
        throw_errno("cannot remove " + in_quotes(path));
      parted.add({path, type_of(names.info.st_mode), 0, aside.back().string()}, names.info,
                 TreeWriter::Content::copy);
    }
  }
  parted.finish_files();
  for (const fs::path& path : aside) {
    if (::unlink(path.c_str()) != 0) throw_errno("cannot remove " + in_quotes(path.native()));
  }
}

void DraftFiller::restore_directories(const struct stat& root) {
  const auto set = [&](const std::string& path, const struct stat& info) {
    if (::geteuid() == 0 &&
        ::fchownat(root_.get(), or_dot(path), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno("cannot set the owner of " + in_quotes(path));
    if (::fchmodat(root_.get(), or_dot(path), info.st_mode & 07777U, 0) != 0)
      throw_errno("cannot set the mode of " + in_quotes(path));
    const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
    if (::utimensat(root_.get(), or_dot(path), times.data(), 0) != 0)
      throw_errno("cannot set the times of " + in_quotes(path));
  };
  // Children first: without the right to search a directory nobody gets to them.
  for (auto wanted = wanted_.rbegin(); wanted != wanted_.rend(); ++wanted) set(wanted->first, wanted->second);
  set("", root);
}

}  // namespace runner::cache
