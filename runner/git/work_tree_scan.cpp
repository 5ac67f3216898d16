#include "runner/git/work_tree_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <unordered_map>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/log.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace {

enum class Kind : std::uint8_t { file, directory, submodule };

struct Child {
  std::string name;
  bool is_directory = false;
};

bool is_directory(int parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info {};
  return ::fstatat(parent, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/// The content of `name` below `parent`. An unreadable or vanished directory is empty: git sees it so too.
std::vector<Child> read_directory(int parent, const char* name, UniqueFd& opened, const std::string& shown) {
  opened.reset(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) {
    if (errno == EMFILE || errno == ENFILE) throw_errno("cannot read directory '" + shown + "'");
    log_debug("git", "cannot read directory '" + shown + "'");
    return {};
  }
  const int copy = ::fcntl(opened.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_errno("cannot read directory '" + shown + "'");
  const DirectoryStream dir(::fdopendir(copy));
  if (!dir) throw_errno("cannot read directory '" + shown + "'");
  std::vector<Child> children;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    children.push_back({std::string(child), is_directory(opened.get(), *entry)});
  }
  return children;
}

class Scan {
 public:
  Scan(git_repository* repository, git_index* index) : repository_(repository) {
    if (index != nullptr) read_index(index);
  }

  WorkTreeEntries run(const std::filesystem::path& root) {
    visit(AT_FDCWD, root.c_str(), "");
    std::sort(result_.files.begin(), result_.files.end());
    std::sort(result_.ignored.begin(), result_.ignored.end());
    std::sort(result_.untracked.begin(), result_.untracked.end());
    std::sort(result_.submodules.begin(), result_.submodules.end());
    return std::move(result_);
  }

 private:
  /// Every path of the index and every directory above one. Keys are views into the index.
  void read_index(git_index* index) {
    const std::size_t count = git_index_entrycount(index);
    known_.reserve(count + count / 4);
    std::string_view previous;
    for (std::size_t i = 0; i < count; ++i) {
      const git_index_entry* entry = git_index_get_byindex(index, i);
      const std::string_view path = entry->path;
      known_.try_emplace(path, entry->mode == GIT_FILEMODE_COMMIT ? Kind::submodule : Kind::file);
      // Sorted neighbours share their directories: stop at the first that is known.
      for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && slash != 0;
           slash = path.rfind('/', slash - 1)) {
        if (previous.substr(0, slash + 1) == path.substr(0, slash + 1)) break;
        known_.insert_or_assign(path.substr(0, slash), Kind::directory);
      }
      previous = path;
    }
  }

  /// Also when a rule matches a directory above.
  bool is_ignored(const std::string& path, bool directory) const {
    int ignored = 0;
    const std::string asked = directory ? path + "/" : path;
    check(git_ignore_path_is_ignored(&ignored, repository_, asked.c_str()), "cannot read the ignore rules");
    return ignored != 0;
  }

  void visit(int parent, const char* name, const std::string& prefix) {
    UniqueFd directory;
    const std::vector<Child> children =
        read_directory(parent, name, directory, prefix.empty() ? name : prefix);
    const bool nested =
        repository_ != nullptr && !prefix.empty() &&
        std::any_of(children.begin(), children.end(), [](const Child& c) { return c.name == ".git"; });
    // The working tree of another repository, not a submodule of this: git looks at it as one thing.
    if (nested && !known_.contains(std::string_view(prefix).substr(0, prefix.size() - 1))) return;
    for (const Child& child : children) {
      if (child.name == ".git") continue;
      visit_child(directory.get(), child, prefix + child.name);
    }
  }

  void visit_child(int parent, const Child& child, const std::string& path) {
    const auto found = known_.find(path);
    if (found != known_.end()) {
      if (found->second == Kind::file && !child.is_directory) {
        result_.files.push_back(path);
        return;
      }
      if (found->second == Kind::submodule && child.is_directory) {
        result_.submodules.push_back(path);
        return;
      }
      if (found->second == Kind::directory && child.is_directory) {
        visit(parent, child.name.c_str(), path + "/");
        return;
      }
    }
    if (repository_ != nullptr && is_ignored(path, child.is_directory)) {
      result_.ignored.push_back(path);
    } else if (child.is_directory) {
      visit(parent, child.name.c_str(), path + "/");
    } else {
      result_.files.push_back(path);
      result_.untracked.push_back(path);
    }
  }

  git_repository* repository_;
  std::unordered_map<std::string_view, Kind> known_;
  WorkTreeEntries result_;
};

}  // namespace

WorkTreeEntries scan_work_tree(git_repository* repository, git_index* index,
                               const std::filesystem::path& root) {
  return Scan(repository, index).run(root);
}

WorkTreeEntries scan_plain_directory(const std::filesystem::path& root) {
  WorkTreeEntries entries = Scan(nullptr, nullptr).run(root);
  entries.untracked.clear();  // there is no index to miss in
  return entries;
}

}  // namespace runner::git
