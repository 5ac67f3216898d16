#include "cache/workspace.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "cache/tree_writer.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

// A mount call takes one page of options, and older kernels open each layer at each lookup.
constexpr std::size_t kMaxLayers = 100;
constexpr std::size_t kMaxLayerText = 3000;

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

void write_merged(const LayeredTree& from, const fs::path& to, TreeWriter::Content content) {
  TreeWriter writer(to);
  from.walk(
      "", [&](const TreeEntry& entry) { writer.add(entry, stat_entry(entry), content); },
      [](const TreeEntry&) { return true; });
  writer.finish(stat_directory(from.layers().front()));
}

bool too_many(const std::vector<fs::path>& layers) {
  std::size_t text = 0;
  for (const fs::path& layer : layers) text += layer.native().size() + 1;
  return layers.size() > kMaxLayers || text > kMaxLayerText;
}

/// The lowers with as few of the linkable ones as needed made into one, the lowest first.
std::vector<fs::path> fitting_lowers(const WorkspaceSpec& spec) {
  std::vector<fs::path> lowers = spec.lowers;
  const std::size_t linkable = std::min(spec.linkable, lowers.size());
  if (linkable < 2 || !too_many(lowers)) return lowers;
  std::size_t first = linkable;
  do {
    --first;
    lowers = spec.lowers;
    const auto begin = lowers.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = lowers.begin() + static_cast<std::ptrdiff_t>(linkable);
    *begin = spec.directory / "squashed";
    lowers.erase(begin + 1, end);
  } while (first > 0 && too_many(lowers));
  const std::span<const fs::path> all(spec.lowers);
  squash_layers(all.subspan(first, linkable - first), spec.directory / "squashed", all.subspan(linkable));
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
  write_merged(LayeredTree(spec.lowers), tree, TreeWriter::Content::copy);
  return std::make_unique<CopiedWorkspace>(spec.directory, tree);
}

}  // namespace

std::unique_ptr<Workspace> Workspaces::create(const WorkspaceSpec& spec) const {
  if (spec.lowers.empty()) throw Error(ErrorCode::invalid_input, "a workspace needs at least one layer");
  make_directories(spec.directory.parent_path(), 0700);
  make_directory(spec.directory);
  try {
    if (mode_ == MountMode::copy) return make_copy(spec);
    return make_overlay(spec, mode_ == MountMode::overlay_user);
  } catch (Error& error) {
    error.add_context("while making workspace '" + spec.directory.string() + "'");
    try {
      remove_tree(spec.directory);
    } catch (const Error& second) {
      log_warn("cache", second.what());
    }
    throw;
  }
}

}  // namespace runner::cache
