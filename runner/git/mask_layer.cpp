#include "runner/git/mask_layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"
#include "runner/git/git_directory.h"
#include "runner/git/git_handles.h"
#include "runner/git/local_repository_impl.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

bool is_real_directory(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) throw_errno("cannot make directory " + in_quotes(path.native()));
}

/// Makes whiteouts: one device, and links to it. A link costs a directory entry where a device costs an
/// inode; the kernel does the same for the whiteouts it makes itself.
class Whiteouts {
 public:
  void make(const fs::path& path) {
    // Too many links, or none on this file system: then a device of its own, which the next ones link to.
    if (!first_.empty() && ::link(first_.c_str(), path.c_str()) == 0) return;
    if (::mknod(path.c_str(), S_IFCHR | 0600U, makedev(0, 0)) != 0)
      throw_errno("cannot make whiteout " + in_quotes(path.native()));
    first_ = path;
  }

 private:
  fs::path first_;
};

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Hides in `own` what is below it in `below`: by the opaque mark, or where the file system has no attributes
/// by a whiteout for each name.
void hide_content(const fs::path& own, const fs::path& below, Whiteouts& whiteouts) {
  if (::setxattr(own.c_str(), kOpaqueAttribute, "y", 1, 0) == 0) return;
  if (errno != ENOTSUP) throw_errno("cannot mark directory " + in_quotes(own.native()));
  if (!is_real_directory(below)) return;
  for (const std::string& name : names_in(below)) {
    struct stat info {};
    if (::lstat((own / name).c_str(), &info) != 0) {
      whiteouts.make(own / name);
    } else if (S_ISDIR(info.st_mode)) {
      hide_content(own / name, below / name, whiteouts);
    }
  }
}

void write_plain(const fs::path& path, std::string_view content) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) throw_errno("cannot make " + in_quotes(path.native()));
  write_all(file.get(), content);
}

/// Missing is fine. Keeps the time: git compares it with those in the index.
void copy_if_there(const fs::path& from, const fs::path& to) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source && errno == ENOENT) return;
  struct stat info {};
  if (!source || ::fstat(source.get(), &info) != 0) throw_errno("cannot read " + in_quotes(from.native()));
  const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!target) throw_errno("cannot make " + in_quotes(to.native()));
  if (!clone_content(source.get(), target.get()))
    copy_content(source.get(), target.get(), info.st_size, from);
  const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
  if (::futimens(target.get(), times.data()) != 0)
    throw_errno("cannot set the time of " + in_quotes(to.native()));
}

bool is_private_ref(std::string_view name) {
  return name == "refs/stash" || name.starts_with("refs/bisect/") || name.starts_with("refs/worktree/") ||
         name.starts_with("refs/rewritten/");
}

// How the work tree is to be read. Not taken: whatever runs a program, names a path, or is a matter of taste.
constexpr std::array<const char*, 9> kKeptSettings = {"filemode",          "ignorecase",       "symlinks",
                                                      "precomposeunicode", "autocrlf",         "eol",
                                                      "safecrlf",          "bigfilethreshold", "checkstat"};

// A git command of the user that runs meanwhile makes these; a job must not wait for it.
constexpr std::array<const char*, 5> kLocks = {"index.lock", "HEAD.lock", "config.lock", "packed-refs.lock",
                                               "shallow.lock"};

}  // namespace

class MaskBuilder {
 public:
  static bool run(LocalRepository& repository, const fs::path& destination, ObjectAccess objects) {
    LocalRepository::Impl& impl = *repository.impl_;
    const std::lock_guard lock(impl.mutex);
    if (!impl.repository || git_repository_is_bare(impl.repository.get()) != 0) return false;
    try {
      MaskBuilder(impl, destination, objects).build();
    } catch (const fs::filesystem_error& error) {
      throw Error(error.code(), std::string("cannot make the mask layer: ") + error.what());
    }
    return true;
  }

 private:
  MaskBuilder(LocalRepository::Impl& impl, fs::path destination, ObjectAccess objects)
      : impl_(impl), destination_(std::move(destination)) {
    const fs::path plain = impl.root / ".git";
    objects_below_ = objects == ObjectAccess::below && impl.git_dir == plain && impl.common_dir == plain &&
                     is_real_directory(plain);
  }

  void build() {
    make_directory(destination_);
    for (const std::string& path : impl_.get_entries().ignored) hide(path);
    if (!objects_below_) hide_submodule_links();
    build_git_directory();
    copy_directory_attributes();
  }

  void hide(const std::string& path) {
    if (const std::size_t slash = path.rfind('/'); slash != std::string::npos)
      add_parents(path.substr(0, slash));
    whiteouts_.make(destination_ / path);
  }

  void add_parents(const std::string& directory) {
    if (!directories_.insert(directory).second) return;
    if (const std::size_t slash = directory.rfind('/'); slash != std::string::npos) {
      add_parents(directory.substr(0, slash));
    }
    make_directory(destination_ / directory);
  }

  /// The topmost layer decides how a merged directory looks: as it does in the working tree.
  void copy_directory_attributes() {
    directories_.insert("");
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      const fs::path own = directory->empty() ? destination_ : destination_ / *directory;
      struct stat info {};
      if (::stat((impl_.root / *directory).c_str(), &info) != 0) continue;  // removed meanwhile
      const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
      if (::chmod(own.c_str(), info.st_mode & 07777U) != 0 ||
          ::utimensat(AT_FDCWD, own.c_str(), times.data(), 0) != 0) {
        throw_errno("cannot set mode and time of " + in_quotes(own.native()));
      }
    }
  }

  /// A job's git would follow them out of the workspace and write there.
  void hide_submodule_links() {
    for (const std::string& path : impl_.get_entries().submodules) {
      struct stat info {};
      const fs::path link = impl_.root / path / ".git";
      if (::lstat(link.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) hide(path + "/.git");
    }
  }

  void build_git_directory() {
    const fs::path own = destination_ / ".git";
    make_directory(own);
    make_directory(own / "refs");
    const LocalFacts& head = impl_.get_facts();
    const std::string unborn = "ref: refs/heads/" + (head.branch.empty() ? head.default_branch : head.branch);
    write_plain(own / "HEAD", (head.sha.empty() ? unborn : head.sha) + "\n");
    write_plain(own / "config", config(head));
    write_refs(own);
    copy_if_there(impl_.git_dir / "index", own / "index");
    copy_if_there(impl_.common_dir / "shallow", own / "shallow");
    if (objects_below_) {
      hide_content(own / "refs", impl_.git_dir / "refs", whiteouts_);
      hide_rest_of_git_directory(own);
    } else {
      write_alternates(own);
      hide_content(own, impl_.root / ".git", whiteouts_);
    }
  }

  void hide_rest_of_git_directory(const fs::path& own) {
    std::set<std::string> names(kLocks.begin(), kLocks.end());
    for (std::string& name : names_in(impl_.git_dir)) names.insert(std::move(name));
    for (const std::string& name : names) {
      if (name == "objects" || name == "modules") continue;
      if (name.starts_with("sharedindex.")) continue;  // the other part of a split index
      struct stat info {};
      if (::lstat((own / name).c_str(), &info) != 0) whiteouts_.make(own / name);
    }
  }

  void write_alternates(const fs::path& own) {
    make_directory(own / "objects");
    make_directory(own / "objects/info");
    make_directory(own / "objects/pack");
    const std::string target = (impl_.common_dir / "objects").string();
    const bool special = target.find('\n') != std::string::npos;
    write_plain(own / "objects/info/alternates", (special ? config_quoted(target) : target) + "\n");
    for (const std::string& name : names_in(impl_.git_dir)) {
      if (name.starts_with("sharedindex.")) copy_if_there(impl_.git_dir / name, own / name);
    }
  }

  std::string config(const LocalFacts& head) {
    Handle<git_config> all;
    Handle<git_config> local;
    check(git_repository_config(Out(all), impl_.repository.get()), "cannot read the git configuration");
    const bool has_local = git_config_open_level(Out(local), all.get(), GIT_CONFIG_LEVEL_LOCAL) == 0;
    std::string text = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = true\n";
    for (const char* name : kKeptSettings) {
      git_buf value = GIT_BUF_INIT;
      const std::string key = std::string("core.") + name;
      if (has_local && git_config_get_string_buf(&value, local.get(), key.c_str()) == 0) {
        text += std::string("\t") + name + " = " + config_quoted(value.ptr) + "\n";
      }
      git_buf_dispose(&value);
    }
    if (!head.origin_url.empty()) {
      text += "[remote \"origin\"]\n\turl = " + config_quoted(head.origin_url) +
              "\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n";
    }
    return text;
  }

  void write_refs(const fs::path& own) {
    Handle<git_reference_iterator> all;
    check(git_reference_iterator_new(Out(all), impl_.repository.get()), "cannot list the refs");
    std::vector<std::pair<std::string, std::string>> packed;
    for (;;) {
      Handle<git_reference> reference;
      if (git_reference_next(Out(reference), all.get()) != 0) break;
      const std::string name = git_reference_name(reference.get());
      if (is_private_ref(name)) continue;
      if (const char* target = git_reference_symbolic_target(reference.get()); target != nullptr) {
        make_directories((own / name).parent_path());
        write_plain(own / name, std::string("ref: ") + target + "\n");
      } else if (const git_oid* id = git_reference_target(reference.get()); id != nullptr) {
        std::string hex(GIT_OID_HEXSZ, '\0');
        git_oid_fmt(hex.data(), id);
        packed.emplace_back(name, std::move(hex));
      }
    }
    std::sort(packed.begin(), packed.end());
    // Not "peeled": that would mean reading every tag now, which most jobs never ask for.
    std::string text = "# pack-refs with: sorted \n";
    for (const auto& [name, id] : packed) text.append(id).append(" ").append(name).append("\n");
    write_plain(own / "packed-refs", text);
  }

  LocalRepository::Impl& impl_;
  fs::path destination_;
  bool objects_below_ = false;
  Whiteouts whiteouts_;
  std::set<std::string> directories_;  // made so far, relative
};

bool make_mask_layer(LocalRepository& repository, const fs::path& destination, ObjectAccess objects) {
  return MaskBuilder::run(repository, destination, objects);
}

}  // namespace runner::git
