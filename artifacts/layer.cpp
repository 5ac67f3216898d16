#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "artifacts/artifacts.h"
#include "artifacts/directory_cursor.h"
#include "artifacts/file_copies.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace fs = std::filesystem;
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Fills an empty directory from a selection.
class LayerBuilder {
 public:
  LayerBuilder(const Selection& selection, const fs::path& upper, const fs::path& destination)
      : selection_(selection),
        upper_prefix_(upper.string()),
        target_(destination, DirectoryCursor::Missing::make) {
    while (upper_prefix_.size() > 1 && upper_prefix_.back() == '/') upper_prefix_.pop_back();
    upper_prefix_ += '/';
  }

  LayerStats run() {
    for (const TreeEntry& entry : selection_.entries) {
      try {
        add(entry);
      } catch (Error& error) {
        error.add_context("while storing " + in_quotes(entry.path));
        throw;
      }
    }
    finish_directories();
    return std::move(stats_);
  }

 private:
  struct PendingDirectory {
    std::string path;
    mode_t mode;
    timespec modified;
  };

  void add(const TreeEntry& entry) {
    if (entry.type == EntryType::other) {
      stats_.skipped.push_back(entry.path);
      return;
    }
    const auto [source_parent, source_name] = locate(entry);
    const auto [parent, name] = split_name(entry.path);
    const int to = target_.at(parent);
    if (entry.type == EntryType::directory) return add_directory(entry, source_parent, source_name, to, name);
    const bool own = entry.real.compare(0, upper_prefix_.size(), upper_prefix_) == 0;
    // linkat does not follow links here, nor does it need to read the file.
    if (own && ::linkat(source_parent, source_name.c_str(), to, name.c_str(), 0) == 0) {
      return count_linked(entry, to, name);
    }
    if (own && errno != EXDEV && errno != EMLINK && errno != EPERM && errno != EACCES) {
      if (errno == ENOENT) throw_errno("it is gone");
      throw_errno("cannot link");
    }
    if (entry.type == EntryType::symlink) {
      copy_symlink(source_parent, source_name, to, name);
      ++stats_.files;
      return;
    }
    copy_file(entry, source_parent, source_name, to, name);
  }

  /// The directory on disk an entry lies in, and its name there. Entries of one layer share a cursor.
  std::pair<int, std::string> locate(const TreeEntry& entry) {
    if (entry.real.size() <= entry.path.size() ||
        entry.real.compare(entry.real.size() - entry.path.size(), std::string::npos, entry.path) != 0) {
      throw Error(ErrorCode::invalid_input, "it does not lie at its path in its layer");
    }
    std::string root = entry.real.substr(0, entry.real.size() - entry.path.size());
    if (sources_.size() <= entry.layer) sources_.resize(entry.layer + 1);
    Source& source = sources_[entry.layer];
    if (!source.cursor || source.root != root) {
      source.root = std::move(root);
      source.cursor = std::make_unique<DirectoryCursor>(source.root, DirectoryCursor::Missing::fail);
    }
    auto [parent, name] = split_name(entry.path);
    return {source.cursor->at(parent), std::move(name)};
  }

  void count_linked(const TreeEntry& entry, int to, const std::string& name) {
    ++stats_.files;
    if (entry.type != EntryType::file) return;
    const struct stat info = look_at(to, name);
    if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::conflict, "it changed meanwhile");
    stats_.bytes += static_cast<std::uint64_t>(info.st_size);
  }

  void add_directory(const TreeEntry& entry, int from, const std::string& source, int to,
                     const std::string& name) {
    const struct stat info = look_at(from, source);
    // It is there already when something in it came first; it gets its mode at the end, when it is filled.
    if (::mkdirat(to, name.c_str(), 0755) != 0 && errno != EEXIST) throw_errno("cannot make directory");
    directories_.push_back(PendingDirectory{entry.path, info.st_mode & kModeBits, info.st_mtim});
    ++stats_.directories;
  }

  void copy_file(const TreeEntry& entry, int from, const std::string& source, int to,
                 const std::string& name) {
    struct stat info {};
    const UniqueFd in = open_regular(from, source, entry.real, info);
    copy_regular(in.get(), info, to, name, entry.real);
    ++stats_.files;
    stats_.bytes += static_cast<std::uint64_t>(info.st_size);
  }

  /// From the innermost out, so that no time is changed by what comes later and no closed one is in the way.
  void finish_directories() {
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      const auto [parent, name] = split_name(directory->path);
      const UniqueFd fd(::openat(target_.at(parent), name.c_str(), kDirectoryFlags));
      const std::array<timespec, 2> times = {directory->modified, directory->modified};
      if (!fd || ::futimens(fd.get(), times.data()) != 0 || ::fchmod(fd.get(), directory->mode) != 0) {
        throw_errno("cannot set mode and time of " + in_quotes(directory->path));
      }
    }
  }

  struct Source {
    std::string root;
    std::unique_ptr<DirectoryCursor> cursor;
  };

  const Selection& selection_;
  std::string upper_prefix_;
  DirectoryCursor target_;
  std::vector<Source> sources_;
  std::vector<PendingDirectory> directories_;
  LayerStats stats_;
};

}  // namespace

LayerStats make_layer(const Selection& selection, const fs::path& upper, const fs::path& destination) {
  struct stat info {};
  if (::lstat(destination.c_str(), &info) == 0) {
    throw Error(ErrorCode::conflict, "cannot make layer " + in_quotes(destination.native()) + ": it exists");
  }
  std::string temporary = destination.string() + ".XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr)
    throw_errno("cannot make layer " + in_quotes(destination.native()));
  try {
    if (::chmod(temporary.c_str(), 0755) != 0) throw_errno("cannot set the mode");
    LayerStats stats = LayerBuilder(selection, upper, temporary).run();
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, destination.c_str(), RENAME_NOREPLACE) != 0) {
      throw_errno("cannot rename");
    }
    return stats;
  } catch (Error& error) {
    remove_tree(temporary);
    error.add_context("cannot make layer " + in_quotes(destination.native()));
    throw;
  } catch (...) {
    remove_tree(temporary);
    throw;
  }
}

}  // namespace runner::artifacts
