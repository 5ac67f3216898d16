#include "cache/stack_cursor.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// Descriptors are few, and a job may make directories as deep as it likes in as many layers.
constexpr std::size_t kKeptOpen = 24;
constexpr std::size_t kMostDescriptors = 192;

bool means_missing(int error) noexcept {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG;
}

/// Whether an open directory holds something other than whiteouts.
bool holds_something(int directory) {
  const int copy = ::openat(directory, ".", kDirectoryFlags);
  if (copy < 0) throw_errno("cannot open a directory of a layer");
  const DirectoryStream stream(::fdopendir(copy));
  if (!stream) throw_errno("cannot read a directory of a layer");
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && entry->d_type != DT_CHR) return true;
  }
  return false;
}

}  // namespace

StackCursor::StackCursor(std::span<const fs::path> layers) {
  Level& root = levels_.emplace_back();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    UniqueFd fd(::open(layers[i].c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("cannot open layer " + in_quotes(layers[i].native()));
    root.directories.push_back({i, std::move(fd), {}});
  }
}

std::optional<Shown> StackCursor::find(std::string_view path) {
  const auto slash = path.rfind('/');
  const std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
  const auto& directories =
      enter(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
  for (const Open& directory : directories) {
    Shown shown;
    shown.layer = directory.layer;
    const int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
    if (OpenedUp::stat(directory.fd.get(), name.c_str(), shown.info, flags) == 0) {
      if (is_whiteout(shown.info)) return std::nullopt;
      return shown;
    }
    if (!means_missing(errno)) throw_errno("cannot look at " + in_quotes(path));
  }
  return std::nullopt;
}

bool StackCursor::has_content(std::string_view path) {
  for (const Open& directory : enter(path)) {
    if (holds_something(directory.fd.get())) return true;
  }
  return false;
}

const std::vector<StackCursor::Open>& StackCursor::enter(std::string_view directory) {
  const auto parts = directory.empty() ? std::vector<std::string_view>() : split(directory, '/');
  std::size_t common = 0;
  while (common < parts.size() && common + 1 < levels_.size() && levels_[common + 1].name == parts[common])
    ++common;
  levels_.resize(common + 1);
  if (levels_.back().closed) {
    levels_.resize(1);
    common = 0;
  }
  for (std::size_t i = common; i < parts.size(); ++i) {
    Level next;
    next.name = parts[i];
    next.directories = descend(levels_.back().directories, next.name);
    levels_.push_back(std::move(next));
    close_far();
  }
  return levels_.back().directories;
}

/// Those farthest up, but for the root and the one just entered.
void StackCursor::close_far() {
  std::size_t open = 0, descriptors = 0;
  for (std::size_t i = levels_.size() - 1; i > 0; --i) {
    Level& level = levels_[i];
    ++open;
    descriptors += level.directories.size();
    if (open == 1 || (open <= kKeptOpen && descriptors <= kMostDescriptors)) continue;
    level.closed = level.closed || !level.directories.empty();
    level.directories.clear();
  }
}

std::vector<StackCursor::Open> StackCursor::descend(const std::vector<Open>& from, const std::string& name) {
  std::vector<Open> found;
  for (const Open& directory : from) {
    std::optional<OpenedUp> opened;
    if (!reads_everything()) {
      struct stat info {};
      int error = 0;  // said by what follows
      opened = OpenedUp::look(directory.fd.get(), name, info, error);
    }
    UniqueFd fd(::openat(directory.fd.get(), name.c_str(), kDirectoryFlags));
    if (fd) {
      const bool last = is_opaque(fd.get());
      found.push_back({directory.layer, std::move(fd), std::move(opened)});
      if (last) break;
      continue;
    }
    if (errno == ENOENT) continue;
    if (errno == ENOTDIR || errno == ELOOP) break;  // a whiteout, or something else that ends the merge
    throw_errno("cannot open directory " + in_quotes(name) + " of a layer");
  }
  return found;
}

}  // namespace runner::cache
