#include "runner/base/layered_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::layered_detail {
namespace fs = std::filesystem;
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Errors that say: there is no such directory (any more).
bool means_missing(int error) noexcept {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG || error == EINVAL;
}

int open_by_parts(int root, std::string_view path) {
  UniqueFd current(::fcntl(root, F_DUPFD_CLOEXEC, 0));
  for (const std::string_view part : split(path, '/')) {
    if (!current) return -1;
    const std::string name(part);
    current.reset(::openat(current.get(), name.c_str(), kDirectoryFlags));
  }
  return current.release();
}

/// As many whole parts of `path` as one system call takes.
std::string_view first_piece(std::string_view path) {
  constexpr std::size_t kLongest = 4000;  // below PATH_MAX
  if (path.size() <= kLongest) return path;
  const auto slash = path.rfind('/', kLongest);
  return slash == std::string_view::npos ? path : path.substr(0, slash);
}

/// Opens a directory below `root` without following any link. -1 with errno.
int open_below(int root, std::string_view path) {
  if (path.empty()) path = ".";
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kDirectoryFlags);
  how.resolve = RESOLVE_NO_SYMLINKS;
  UniqueFd current;
  while (!path.empty()) {
    const std::string piece(first_piece(path));
    path.remove_prefix(std::min(path.size(), piece.size() + 1));
    const int from = current ? current.get() : root;
    const long opened = ::syscall(SYS_openat2, from, piece.c_str(), &how, sizeof how);
    // Old kernels and some container profiles do not have openat2.
    const bool unknown = opened < 0 && (errno == ENOSYS || errno == EPERM);
    const int next = unknown ? open_by_parts(from, piece) : static_cast<int>(opened);
    if (next < 0) return -1;
    current.reset(next);
  }
  return current.release();
}

EntryType type_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return EntryType::file;
  if (S_ISDIR(mode)) return EntryType::directory;
  if (S_ISLNK(mode)) return EntryType::symlink;
  return EntryType::other;
}

/// What one layer says about a name: nullopt for a whiteout.
using Seen = std::optional<EntryType>;

/// False when the entry went away since it was listed.
bool look_at(int directory, const dirent& listed, Seen& seen) {
  switch (listed.d_type) {
    case DT_REG:
      seen = EntryType::file;
      return true;
    case DT_DIR:
      seen = EntryType::directory;
      return true;
    case DT_LNK:
      seen = EntryType::symlink;
      return true;
    case DT_FIFO:
    case DT_SOCK:
    case DT_BLK:
      seen = EntryType::other;
      return true;
    default:
      break;
  }
  struct stat info {};
  if (::fstatat(directory, listed.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    throw_errno("cannot look at '" + std::string(listed.d_name) + "'");
  }
  seen = is_whiteout(info) ? Seen() : Seen(type_of(info.st_mode));
  return true;
}

bool is_dot(const char* name) noexcept {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

/// Calls `take(name, seen)` for each entry of an open directory, which is closed afterwards.
template <typename Take>
void read_entries(UniqueFd directory, const std::string& shown, const Take& take) {
  const DirectoryStream stream(::fdopendir(directory.get()));
  if (!stream) throw_errno("cannot read directory '" + shown + "'");
  directory.release();
  for (;;) {
    errno = 0;
    const dirent* listed = ::readdir(stream.get());
    if (listed == nullptr && errno != 0) throw_errno("cannot read directory '" + shown + "'");
    if (listed == nullptr) return;
    Seen seen;
    if (!is_dot(listed->d_name) && look_at(::dirfd(stream.get()), *listed, seen)) take(listed->d_name, seen);
  }
}

/// Collects the children of a directory that lies in several layers, top first.
class Merge {
 public:
  void add(std::uint32_t layer, const char* name, Seen seen) {
    const auto [place, is_new] = states_.try_emplace(name);
    State& state = place->second;
    if (state.closed) return;
    if (is_new) {
      state.closed = !seen || *seen != EntryType::directory;
      if (!seen) return;
      state.visible = true;
      state.child = Child{name, *seen, layer, {}};
    } else if (seen == EntryType::directory) {
      state.child.others.push_back(layer);
    } else {
      state.closed = true;
    }
  }

  std::vector<Child> take() {
    std::vector<Child> children;
    children.reserve(states_.size());
    for (auto& [name, state] : states_) {
      if (state.visible) children.push_back(std::move(state.child));
    }
    return children;
  }

 private:
  struct State {
    bool visible = false;
    bool closed = false;  // nothing further down counts
    Child child;
  };
  std::unordered_map<std::string, State> states_;
};

/// The first `count` parts as a path.
std::string join_parts(const std::vector<std::string_view>& parts, std::size_t count) {
  std::string path;
  for (std::size_t i = 0; i < count; ++i) path = child_path(path, parts[i]);
  return path;
}

}  // namespace

LayeredReader::LayeredReader(const std::vector<fs::path>& layers, ClosedDirectory closed)
    : layers_(layers), on_closed_(closed) {
  for (const fs::path& layer : layers) {
    roots_.emplace_back(::open(layer.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!roots_.back()) throw_errno("cannot open layer '" + layer.string() + "'");
    prefixes_.push_back(layer.string());
    if (prefixes_.back().back() != '/') prefixes_.back() += '/';
  }
}

/// `below` the opened `root`; `path` is what it is called from the top. Empty when there is no such
/// directory.
UniqueFd LayeredReader::open_directory(int root, std::uint32_t layer, std::string_view below,
                                       std::string_view path) const {
  UniqueFd directory(open_below(root, below));
  if (directory || means_missing(errno)) return directory;
  if (errno != EACCES || on_closed_ == ClosedDirectory::fail)
    throw_errno("cannot open directory '" + prefixes_[layer] + std::string(path) + "'");
  closed_.emplace(path);
  return {};
}

std::optional<Found> LayeredReader::find(std::string_view path) const {
  struct Open {
    std::uint32_t layer;
    UniqueFd fd;
  };
  std::vector<Open> current;
  for (std::uint32_t layer = 0; layer < roots_.size(); ++layer) {
    current.push_back(Open{layer, UniqueFd(::fcntl(roots_[layer].get(), F_DUPFD_CLOEXEC, 0))});
    if (!current.back().fd) throw_errno("cannot open layer '" + prefixes_[layer] + "'");
  }
  Found found;
  found.entry.type = EntryType::directory;
  const auto parts = path.empty() ? std::vector<std::string_view>() : split(path, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name(parts[i]);
    bool visible = false;
    std::vector<Open> next;
    for (const Open& directory : current) {
      struct stat info {};
      if (::fstatat(directory.fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (means_missing(errno)) continue;
        // It may be listed but not searched.
        if (errno == EACCES && on_closed_ == ClosedDirectory::skip) {
          closed_.insert(join_parts(parts, i));
          continue;
        }
        throw_errno("cannot look at '" + prefixes_[directory.layer] + std::string(path) + "'");
      }
      if (is_whiteout(info) || (visible && !S_ISDIR(info.st_mode))) break;
      if (!visible) {
        visible = true;
        found.entry.type = type_of(info.st_mode);
        found.entry.layer = directory.layer;
      }
      if (!S_ISDIR(info.st_mode)) break;
      next.push_back(Open{directory.layer, open_directory(directory.fd.get(), directory.layer, name,
                                                          join_parts(parts, i + 1))});
      if (!next.back().fd)
        next.pop_back();
      else if (is_opaque(next.back().fd.get()))
        break;
    }
    if (!visible || (next.empty() && i + 1 < parts.size())) return std::nullopt;
    current = std::move(next);
  }
  found.entry.path = path;
  found.entry.real =
      path.empty() ? layers_[found.entry.layer].string() : prefixes_[found.entry.layer] + found.entry.path;
  found.directory.path = path;
  for (const Open& directory : current) found.directory.layers.push_back(directory.layer);
  return found;
}

std::vector<Child> LayeredReader::children(const Directory& directory) const {
  std::vector<Child> children;
  std::vector<std::pair<std::uint32_t, UniqueFd>> open;
  for (const std::uint32_t layer : directory.layers) {
    UniqueFd fd = open_directory(roots_[layer].get(), layer, directory.path, directory.path);
    if (!fd) continue;
    // The root of a layer is never opaque.
    const bool last = !directory.path.empty() && layer != directory.layers.back() && is_opaque(fd.get());
    open.emplace_back(layer, std::move(fd));
    if (last) break;
  }
  const auto shown = [&](std::uint32_t layer) { return prefixes_[layer] + directory.path; };
  if (open.size() == 1) {
    const std::uint32_t layer = open[0].first;
    read_entries(std::move(open[0].second), shown(layer), [&](const char* name, Seen seen) {
      if (seen) children.push_back(Child{name, *seen, layer, {}});
    });
  } else {
    Merge merge;
    for (auto& [layer, fd] : open) {
      read_entries(std::move(fd), shown(layer),
                   [&, in = layer](const char* name, Seen seen) { merge.add(in, name, seen); });
    }
    children = merge.take();
  }
  std::sort(children.begin(), children.end(), [](const Child& a, const Child& b) { return a.name < b.name; });
  return children;
}

TreeEntry LayeredReader::entry(const Directory& parent, const Child& child) const {
  TreeEntry entry;
  entry.path = child_path(parent.path, child.name);
  entry.type = child.type;
  entry.layer = child.layer;
  entry.real = prefixes_[child.layer] + entry.path;
  return entry;
}

Directory LayeredReader::descend(const Directory& parent, const Child& child) {
  Directory directory{child_path(parent.path, child.name), {child.layer}};
  directory.layers.insert(directory.layers.end(), child.others.begin(), child.others.end());
  return directory;
}

std::optional<std::string> clean_path(std::string_view path) {
  if (!path.empty() && path.front() == '/') return std::nullopt;
  if (path.find('\0') != std::string_view::npos) return std::nullopt;
  std::vector<std::string_view> kept;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(part);
    } else if (kept.empty()) {
      return std::nullopt;
    } else {
      kept.pop_back();
    }
  }
  std::string cleaned;
  for (const std::string_view part : kept) {
    if (!cleaned.empty()) cleaned += '/';
    cleaned += part;
  }
  return cleaned;
}

std::string child_path(std::string_view directory, std::string_view name) {
  std::string path;
  path.reserve(directory.size() + name.size() + 1);
  path = directory;
  if (!path.empty()) path += '/';
  path += name;
  return path;
}

}  // namespace runner::layered_detail
