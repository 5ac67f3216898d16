#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "artifacts/artifacts.h"
#include "artifacts/choose.h"
#include "artifacts/directory_cursor.h"
#include "artifacts/file_copies.h"
#include "artifacts/sweep.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/layered_reader.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace fs = std::filesystem;
namespace {

using layered_detail::Child;
using layered_detail::Directory;
using layered_detail::LayeredReader;
using layered_detail::LayerList;

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Where linking or moving is not possible, copying may be.
bool means_copy(int error) noexcept {
  return error == EXDEV || error == EMLINK || error == EPERM || error == EACCES;
}

class Taker {
 public:
  Taker(const TakeRequest& request, const fs::path& tree)
      : request_(request),
        reader_(request.layers, ClosedDirectory::skip),
        target_(tree, DirectoryCursor::Missing::make),
        tally_(taken_.stats, request.max_bytes, request.layers.size() == 1) {
    for (const fs::path& layer : request.layers) {
      sources_.push_back(std::make_unique<DirectoryCursor>(layer, DirectoryCursor::Missing::fail));
    }
  }

  Taken run() {
    Choice choice = choose(request_, reader_);
    taken_.without_match = std::move(choice.without_match);
    taken_.outside = std::move(choice.outside);
    failpoint("artifacts.chosen");
    for (Item& item : choice.items) {
      try {
        taken_.has_git = taken_.has_git || is_git(item);
        take(item);
      } catch (Error& error) {
        error.add_context("while storing " + in_quotes(item.path));
        throw;
      }
    }
    taken_.closed.assign(reader_.closed().begin(), reader_.closed().end());
    finish_directories();
    separate_from_outside();
    refuse_too_much();
    failpoint("artifacts.taken");
    return std::move(taken_);
  }

 private:
  struct PendingDirectory {
    std::string path;
    mode_t mode;
    timespec modified;
  };

  bool is_git(const Item& item) const {
    if (item.path == ".git" || item.path.starts_with(".git/")) return true;
    return item.path.empty() && item.whole && reader_.find(".git").has_value();
  }

  void take(Item& item) {
    if (item.type != EntryType::directory) return take_entry(item.path, item.type, item.layer);
    if (!item.whole) {
      tally_.directory();
      return make_directory(item.path, item.layer);
    }
    const LayerStats& stats = taken_.stats;
    const std::uint64_t placed_before = stats.files + stats.directories;
    const std::size_t skipped_before = stats.skipped.size();
    take_whole(Directory{item.path, item.layers}, item.own);
    const bool empty = stats.files + stats.directories == placed_before;
    if (empty && stats.skipped.size() == skipped_before) {
      for (std::string& pattern : item.expected_by) taken_.without_match.push_back(std::move(pattern));
    }
    if (item.own) return tally_.directory();
    if (empty && !item.path.empty()) remove_directory(item.path);
  }

  /// One that was made for what it was to hold.
  void remove_directory(const std::string& path) {
    const auto [parent, name] = split_name(path);
    if (::unlinkat(target_.at(parent), name.c_str(), AT_REMOVEDIR) != 0) throw_errno("cannot remove it");
  }

  /// A directory with all below it; without `own` it gets the mode of one that was not selected.
  void take_whole(const Directory& top, bool own) {
    std::vector<Directory> open;
    if (!move_directory(top, own)) open.push_back(top);
    while (!open.empty()) {
      const Directory directory = std::move(open.back());
      open.pop_back();
      const bool is_top = directory.path == top.path;
      if (!directory.path.empty() && (own || !is_top)) {
        make_directory(directory.path, directory.layers.front());
      } else if (!directory.path.empty()) {
        target_.at(directory.path);
      }
      for (const Child& child : reader_.children(directory)) {
        const std::string path = layered_detail::child_path(directory.path, child.name);
        if (child.type != EntryType::directory) {
          take_entry(path, child.type, child.layer);
          continue;
        }
        tally_.directory();
        Directory below = LayeredReader::descend(directory, child);
        if (!move_directory(below, true)) open.push_back(std::move(below));
      }
    }
  }

  /// By one rename, when it lies in the job's own layer alone.
  bool move_directory(const Directory& directory, bool own) {
    if (!request_.may_move || directory.path.empty() || directory.layers != LayerList{0}) return false;
    const auto [parent, name] = split_name(directory.path);
    const int from = sources_[0]->at(parent);
    const int to = target_.at(parent);
    const struct stat before = look_at(from, name);
    bool opened = false;
    int result = ::renameat(from, name.c_str(), to, name.c_str());
    // A directory that is closed to its owner cannot get another parent.
    if (result != 0 && errno == EACCES && (before.st_mode & S_IWUSR) == 0) {
      opened = ::fchmodat(from, name.c_str(), (before.st_mode & kModeBits) | S_IRWXU, 0) == 0;
      result = ::renameat(from, name.c_str(), to, name.c_str());
    }
    if (result != 0 && means_copy(errno)) return false;
    if (result != 0) throw_errno("cannot move it");
    sweep(to, name, directory.path, tally_);
    if (!own || opened) {
      const UniqueFd fd(::openat(to, name.c_str(), kDirectoryFlags));
      const mode_t mode = own ? before.st_mode & kModeBits : mode_t{0755};
      if (!fd || ::futimens(fd.get(), times_of(before).data()) != 0 || ::fchmod(fd.get(), mode) != 0) {
        throw_errno("cannot set its mode");
      }
    }
    return true;
  }

  void make_directory(const std::string& path, std::uint32_t layer) {
    const auto [parent, name] = split_name(path);
    const struct stat info = look_at(sources_[layer]->at(parent), name);
    // It is there already when something in it came first; it gets its mode at the end, when it is filled.
    if (::mkdirat(target_.at(parent), name.c_str(), 0755) != 0 && errno != EEXIST) {
      throw_errno("cannot make directory");
    }
    directories_.push_back(PendingDirectory{path, info.st_mode & kModeBits, info.st_mtim});
  }

  void take_entry(const std::string& path, EntryType type, std::uint32_t layer) {
    if (type == EntryType::other) return tally_.skipped(path);
    const auto [parent, name] = split_name(path);
    const int from = sources_[layer]->at(parent);
    const int to = target_.at(parent);
    if (type == EntryType::symlink) {
      tally_.symlink();
      if (!place(path, layer, from, to, name)) copy_symlink(from, name, to, name);
      return;
    }
    const struct stat info = look_at(from, name);
    if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::conflict, "it changed meanwhile");
    tally_.file(info, std::string(parent), name.c_str());
    if (tally_.full() || place(path, layer, from, to, name)) return;
    copy(path, layer, from, to, name);
  }

  /// Moves or links. False: it has to be copied.
  bool place(const std::string& path, std::uint32_t layer, int from, int to, const std::string& name) {
    if (layer == 0 && request_.may_move) {
      if (::renameat(from, name.c_str(), to, name.c_str()) == 0) return true;
      if (!means_copy(errno)) throw_errno("cannot move it");
      return false;
    }
    const bool linkable =
        layer == 0 || (request_.is_immutable && request_.is_immutable(request_.layers[layer] / path));
    if (!linkable) return false;
    // linkat does not follow links here, nor does it need to read the file.
    if (::linkat(from, name.c_str(), to, name.c_str(), 0) == 0) return true;
    if (!means_copy(errno)) throw_errno("cannot link it");
    return false;
  }

  void copy(const std::string& path, std::uint32_t layer, int from, int to, const std::string& name) {
    struct stat info {};
    const UniqueFd in = open_regular(from, name, path, info);
    if (info.st_nlink > 1) {
      // Names of one file stay names of one file.
      const auto [first, is_new] = copied_.try_emplace({layer, info.st_dev, info.st_ino}, path);
      if (!is_new && link_to(first->second, to, name)) return;
    }
    copy_regular(in.get(), info, to, name, path);
  }

  bool link_to(const std::string& existing, int to, const std::string& name) {
    const UniqueFd here(::fcntl(to, F_DUPFD_CLOEXEC, 0));  // the cursor is about to move
    if (!here) throw_errno("cannot duplicate a descriptor");
    const auto [parent, first] = split_name(existing);
    return ::linkat(target_.at(parent), first.c_str(), here.get(), name.c_str(), 0) == 0;
  }

  /// From the innermost out, so that no time is changed by what comes later and no closed one is in the way.
  void finish_directories() {
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      const auto [parent, name] = split_name(directory->path);
      const UniqueFd fd(::openat(target_.at(parent), name.c_str(), kDirectoryFlags));
      const timespec times[2] = {directory->modified, directory->modified};
      if (!fd || ::futimens(fd.get(), times) != 0 || ::fchmod(fd.get(), directory->mode) != 0) {
        throw_errno("cannot set mode and time of " + in_quotes(directory->path));
      }
    }
  }

  /// Whoever has another name of a file could write into it: those get a copy.
  void separate_from_outside() {
    for (const std::vector<std::string>& names : tally_.shared_outside()) {
      if (tally_.full()) return;
      const auto [parent, name] = split_name(names.front());
      const int directory = target_.at(parent);
      struct stat info {};
      struct stat of_parent {};
      const UniqueFd in = open_regular(directory, name, names.front(), info);
      if (::fstat(directory, &of_parent) != 0) throw_errno("cannot look at " + in_quotes(names.front()));
      if (::unlinkat(directory, name.c_str(), 0) != 0) throw_errno("cannot part " + in_quotes(names.front()));
      copy_regular(in.get(), info, directory, name, names.front());
      if (::futimens(directory, times_of(of_parent).data()) != 0) throw_errno("cannot set the time");
      for (std::size_t i = 1; i < names.size(); ++i) relink(names.front(), names[i]);
    }
  }

  void relink(const std::string& existing, const std::string& path) {
    const auto [parent, name] = split_name(path);
    const UniqueFd directory(::fcntl(target_.at(parent), F_DUPFD_CLOEXEC, 0));
    struct stat before {};
    if (!directory || ::fstat(directory.get(), &before) != 0 ||
        ::unlinkat(directory.get(), name.c_str(), 0) != 0 || !link_to(existing, directory.get(), name) ||
        ::futimens(directory.get(), times_of(before).data()) != 0) {
      throw_errno("cannot link " + in_quotes(path));
    }
  }

  void refuse_too_much() const {
    if (!tally_.full()) return;
    throw Error(ErrorCode::invalid_input, "artifacts are " + format_bytes(taken_.stats.bytes) +
                                              ", more than the limit of " + format_bytes(request_.max_bytes));
  }

  const TakeRequest& request_;
  const LayeredReader reader_;
  DirectoryCursor target_;
  std::vector<std::unique_ptr<DirectoryCursor>> sources_;
  std::vector<PendingDirectory> directories_;
  using Inode = std::tuple<std::uint32_t, dev_t, ino_t>;  // of a file: the layer, the device, the number
  std::map<Inode, std::string> copied_;  // files with several names -> the first of them taken
  Taken taken_;
  Tally tally_;
};

}  // namespace

Taken take_layer(const TakeRequest& request, const fs::path& tree) {
  try {
    return Taker(request, tree).run();
  } catch (Error& error) {
    error.add_context("cannot take the artifacts");
    throw;
  }
}

}  // namespace runner::artifacts
