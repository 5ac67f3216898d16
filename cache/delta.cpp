#include "cache/delta.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
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

std::string child_of(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

struct stat look_at(int root, const std::string& path) {
  struct stat info {};
  if (::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot look at " + in_quotes(path));
  return info;
}

bool is_kept_type(mode_t mode) noexcept {
  return S_ISREG(mode) || S_ISLNK(mode) || S_ISFIFO(mode);
}

bool same_directory(const struct stat& one, const struct stat& other) noexcept {
  return one.st_mode == other.st_mode && one.st_uid == other.st_uid && one.st_gid == other.st_gid;
}

bool same_entry(const struct stat& one, const struct stat& other) noexcept {
  if (!same_directory(one, other)) return false;
  if (S_ISDIR(one.st_mode)) return true;  // its time says only that something in it changed
  return one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
         one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

}  // namespace

std::vector<std::string> names_in(int directory, std::string_view shown) {
  const int copy = ::openat(directory, ".", kDirectoryFlags);
  if (copy < 0) throw_errno("cannot open directory " + in_quotes(shown));
  const DirectoryStream stream(::fdopendir(copy));
  if (!stream) throw_errno("cannot read directory " + in_quotes(shown));
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) throw_errno("cannot read directory " + in_quotes(shown));
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

UniqueFd Opener::open(const std::string& path) {
  const char* name = path.empty() ? "." : path.c_str();
  UniqueFd fd(::openat(root_, name, kDirectoryFlags));
  // Without the right to search it could be opened and would show nothing.
  if (fd && ::faccessat(fd.get(), ".", X_OK, AT_EACCESS) == 0) return fd;
  if (errno != EACCES) throw_errno("cannot open directory " + in_quotes(path));
  make_writable(path);
  fd.reset(::openat(root_, name, kDirectoryFlags));
  if (!fd) throw_errno("cannot open directory " + in_quotes(path));
  return fd;
}

void Opener::make_writable(const std::string& path) {
  const struct stat info = look_at(root_, path.empty() ? "." : path);
  if ((info.st_mode & 0700U) == 0700U) return;
  if (::fchmodat(root_, path.empty() ? "." : path.c_str(), (info.st_mode & 07777U) | 0700U, 0) != 0)
    throw_errno("cannot open up directory " + in_quotes(path));
  opened_.try_emplace(path, info.st_mode & 07777U);
}

void Opener::restore() noexcept {
  for (auto opened = opened_.rbegin(); opened != opened_.rend(); ++opened) {
    // What has been moved away meanwhile is not here any more; whoever moved it gives it its mode.
    ::fchmodat(root_, opened->first.empty() ? "." : opened->first.c_str(), opened->second, 0);
  }
  opened_.clear();
}

ChangeFinder::ChangeFinder(const CacheSource& source, std::span<const fs::path> stack, PathSet& paths,
                           const CacheContent& content, int upper, Opener& opener)
    : source_(source),
      layers_(stack),
      paths_(paths),
      content_(content),
      upper_(upper),
      opener_(opener),
      stack_(stack) {}

Changes ChangeFinder::find() {
  scan("");
  std::vector<fs::path> all{source_.upper};
  all.insert(all.end(), source_.lowers.begin(), source_.lowers.end());
  StackCursor seen(all);
  add_foreign(seen);
  for (const PathSet::Unmatched& pattern : paths_.unmatched()) {
    if (pattern.literal && seen.find(pattern.path)) paths_.matches(pattern.path);
  }
  return std::move(changes_);
}

void ChangeFinder::scan(const std::string& directory) {
  const UniqueFd fd = opener_.open(directory);
  if (!directory.empty() && is_opaque(fd.get())) {
    const auto shown = stack_.find(directory);
    if (shown && S_ISDIR(shown->info.st_mode) && stack_.has_content(directory))
      changes_.cut.push_back(directory);
  }
  for (const std::string& name : names_in(fd.get(), directory)) {
    std::string path = child_of(directory, name);
    const struct stat info = look_at(upper_, path);
    const bool whiteout = is_whiteout(info);
    const bool plain = S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);
    const bool named = !whiteout && paths_.matches(path);
    if (named || (plain && paths_.takes_untracked(path))) {
      changes_.taken.push_back(std::move(path));
    } else if (S_ISDIR(info.st_mode)) {
      if (paths_.could_match_below(path)) scan(path);
    } else if (stack_.find(path)) {
      changes_.whiteouts.push_back(std::move(path));
    }
  }
}

void ChangeFinder::add_foreign(StackCursor& seen) {
  std::vector<fs::path> foreign;
  for (const fs::path& layer : source_.lowers) {
    if (std::find(layers_.begin(), layers_.end(), layer) == layers_.end()) foreign.push_back(layer);
  }
  if (foreign.empty()) return;
  const LayeredTree tree(foreign);
  std::set<std::string, std::less<>> named;
  for (const TreeEntry& entry : select_paths(tree, content_.paths, {}, content_.root).entries) {
    if (content_.untracked) named.insert(entry.path);
    add_foreign_entry(seen, entry);
  }
  if (!content_.untracked) return;
  tree.walk(
      "",
      [&](const TreeEntry& entry) {
        if (named.contains(entry.path)) return;
        if (entry.type != EntryType::file && entry.type != EntryType::symlink) return;
        if (entry.path == ".git") return;
        if (paths_.takes_untracked(entry.path)) return add_foreign_entry(seen, entry);
        hide_tracked(seen, entry);
      },
      [](const TreeEntry& directory) { return directory.path != ".git"; });
}

void ChangeFinder::add_foreign_entry(StackCursor& seen, const TreeEntry& entry) {
  const auto shown = seen.find(entry.path);
  if (!shown || shown->layer == 0) return;  // the upper layer has been looked at
  const fs::path& layer = source_.lowers[shown->layer - 1];
  if (std::find(layers_.begin(), layers_.end(), layer) != layers_.end()) return;
  const auto had = stack_.find(entry.path);
  if (had && same_entry(had->info, shown->info)) return;
  TreeEntry added = entry;
  added.real = (layer / entry.path).string();
  added.layer = shown->layer;
  changes_.added.push_back(std::move(added));
}

/// A file that was untracked when it was saved, and is tracked by now.
void ChangeFinder::hide_tracked(StackCursor& seen, const TreeEntry& entry) {
  const auto shown = seen.find(entry.path);
  if (!shown || shown->layer == 0 || S_ISDIR(shown->info.st_mode)) return;  // the scan has seen to its own
  const fs::path& layer = source_.lowers[shown->layer - 1];
  if (std::find(layers_.begin(), layers_.end(), layer) != layers_.end())
    changes_.whiteouts.push_back(entry.path);
}

bool ChangeFinder::have_effect(const Changes& changes) {
  if (!changes.whiteouts.empty() || !changes.cut.empty() || !changes.added.empty()) return true;
  return std::any_of(changes.taken.begin(), changes.taken.end(),
                     [&](const std::string& path) { return has_effect(path); });
}

bool ChangeFinder::has_effect(const std::string& path) {
  const struct stat info = look_at(upper_, path);
  if (is_kept_type(info.st_mode)) return true;
  const auto had = stack_.find(path);
  if (!S_ISDIR(info.st_mode)) return had.has_value();
  if (!had || !same_directory(had->info, info)) return true;
  const UniqueFd fd = opener_.open(path);
  if (is_opaque(fd.get()) && stack_.has_content(path)) return true;
  for (const std::string& name : names_in(fd.get(), path)) {
    if (has_effect(child_of(path, name))) return true;
  }
  return false;
}

}  // namespace runner::cache
