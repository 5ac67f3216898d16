#include "cache/workspace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>
#include <utility>

#include "cache/mount_point.h"
#include "cache/tree_writer.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/opened_up.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

// The kernel takes 500. Each costs: a name that is in none of them is looked for in all of them, half a
// microsecond each.
constexpr std::size_t kMostLowers = 500;
constexpr std::size_t kEnoughLowers = 64;

std::vector<fs::path> stacked(const fs::path& upper, const std::vector<fs::path>& lowers) {
  std::vector<fs::path> all;
  all.reserve(lowers.size() + 1);
  all.push_back(upper);
  all.insert(all.end(), lowers.begin(), lowers.end());
  return all;
}

struct stat stat_directory(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw_errno("cannot read directory '" + path.string() + "'");
  if (!S_ISDIR(info.st_mode))
    throw Error(ErrorCode::invalid_input, "'" + path.string() + "' is no directory");
  return info;
}

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0) throw_errno("cannot make directory '" + path.string() + "'");
}

class OverlayWorkspace final : public Workspace {
 public:
  OverlayWorkspace(const WorkspaceSpec& spec, std::vector<fs::path> lowers, bool user_namespace)
      : directory_(spec.directory),
        plan_{std::move(lowers), spec.directory / "upper", spec.directory / "work", spec.target,
              user_namespace},
        tree_(stacked(plan_.upper, plan_.lowers)) {}

  const fs::path& path() const noexcept override { return plan_.target; }
  std::optional<OverlayPlan> overlay() const override { return plan_; }
  const LayeredTree& tree() const override { return tree_; }
  const fs::path& upper() const noexcept override { return plan_.upper; }
  void remove() override { remove_tree(directory_); }

 private:
  fs::path directory_;
  OverlayPlan plan_;
  LayeredTree tree_;
};

class CopiedWorkspace final : public Workspace {
 public:
  CopiedWorkspace(fs::path directory, const fs::path& tree)
      : directory_(std::move(directory)), path_(tree), tree_(std::vector<fs::path>{tree}) {}

  const fs::path& path() const noexcept override { return path_; }
  std::optional<OverlayPlan> overlay() const override { return std::nullopt; }
  const LayeredTree& tree() const override { return tree_; }
  const fs::path& upper() const noexcept override { return path_; }
  void remove() override { remove_tree(directory_); }

 private:
  fs::path directory_, path_;
  LayeredTree tree_;
};

/// More threads than this wait for one another in the directories they fill.
constexpr unsigned kMostThreads = 4;

/// A job would see a directory that it may not read; a copy of it is empty.
bool may_enter(const TreeEntry& directory) {
  if (::faccessat(AT_FDCWD, directory.real.c_str(), R_OK | X_OK, AT_EACCESS) == 0) return true;
  if (errno != EACCES) return true;
  log_warn("cache", "cannot read directory " + in_quotes(directory.real) + ": its copy is empty");
  return false;
}

/// The first `ours` layers are opened up for it, where a job closed something; the others are somebody's.
void copy_merged(const LayeredTree& from, std::size_t ours, const fs::path& to) {
  OpenedTrees opened;
  for (std::size_t i = 0; i < ours; ++i) opened.open(from.layers()[i]);
  TreeWriter writer(to, std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads));
  from.walk(
      "",
      [&](const TreeEntry& entry) {
        struct stat info = stat_entry(entry);
        opened.correct(info);
        writer.add(entry, info, TreeWriter::Content::copy);
      },
      may_enter);
  writer.finish(stat_directory(from.layers().front()));
}

/// Without those that are there already further up: they add nothing, and the kernel takes none twice. The
/// count of the linkable ones is kept right.
void drop_repeated(WorkspaceSpec& spec) {
  std::set<std::pair<dev_t, ino_t>> known;
  std::vector<fs::path> lowers;
  std::size_t linkable = 0, owned = 0;
  for (std::size_t i = 0; i < spec.lowers.size(); ++i) {
    const struct stat info = stat_directory(spec.lowers[i]);
    if (!known.emplace(info.st_dev, info.st_ino).second) continue;
    lowers.push_back(spec.lowers[i]);
    if (i < spec.linkable) ++linkable;
    if (i < spec.owned) ++owned;
  }
  spec.lowers = std::move(lowers);
  spec.linkable = linkable;
  spec.owned = owned;
}

/// The lowers with as many of the linkable ones as needed made into one, the lowest first.
std::vector<fs::path> fitting_lowers(const WorkspaceSpec& spec) {
  const std::size_t count = spec.lowers.size();
  std::vector<fs::path> lowers = spec.lowers;
  if (count > kEnoughLowers && spec.linkable > 1) {
    const std::size_t group = std::min(spec.linkable, count - kEnoughLowers + 1);
    const std::size_t first = spec.linkable - group;
    const fs::path squashed = spec.directory / "squashed";
    const std::span<const fs::path> all(spec.lowers);
    squash_layers(all.subspan(first, group), squashed, all.subspan(spec.linkable));
    const auto begin = lowers.begin() + static_cast<std::ptrdiff_t>(first);
    *begin = squashed;
    lowers.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(group));
  }
  if (lowers.size() > kMostLowers) {
    throw Error(ErrorCode::invalid_input, "a stack of " + std::to_string(lowers.size()) +
                                              " layers, the kernel takes at most " +
                                              std::to_string(kMostLowers));
  }
  return lowers;
}

std::unique_ptr<Workspace> make_overlay(const WorkspaceSpec& spec, bool user_namespace) {
  auto workspace = std::make_unique<OverlayWorkspace>(spec, fitting_lowers(spec), user_namespace);
  make_directory(spec.directory / "upper");
  make_directory(spec.directory / "work");
  make_directories(spec.target);
  // The top of the mount looks like its upper directory.
  const struct stat top = stat_directory(spec.lowers.front());
  const fs::path& upper = workspace->upper();
  if (::chmod(upper.c_str(), top.st_mode & 07777U) != 0)
    throw_errno("cannot set the mode of '" + upper.string() + "'");
  return workspace;
}

std::unique_ptr<Workspace> make_copy(const WorkspaceSpec& spec) {
  const fs::path tree = spec.directory / "tree";
  make_directory(tree);
  copy_merged(LayeredTree(spec.lowers), spec.owned, tree);
  return std::make_unique<CopiedWorkspace>(spec.directory, tree);
}

}  // namespace

std::unique_ptr<Workspace> Workspaces::create(const WorkspaceSpec& given) const {
  if (given.lowers.empty()) throw Error(ErrorCode::invalid_input, "a workspace needs at least one layer");
  make_directories(given.directory.parent_path(), 0700);
  make_directory(given.directory);
  try {
    WorkspaceSpec spec = given;
    spec.linkable = std::min(spec.linkable, spec.lowers.size());
    spec.owned = std::min(spec.owned, spec.lowers.size());
    drop_repeated(spec);
    if (mode_ == MountMode::copy) return make_copy(spec);
    return make_overlay(spec, mode_ == MountMode::overlay_user);
  } catch (Error& error) {
    const std::string full = full_disk_context(error.system(), given.directory);
    if (!full.empty()) error.add_context(full);
    error.add_context("while making workspace '" + given.directory.string() + "'");
    try {
      remove_tree(given.directory);
    } catch (const Error& second) {
      log_warn("cache", second.what());
    }
    throw;
  }
}

}  // namespace runner::cache
