#include "cache/rewrite.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "cache/path_set.h"
#include "cache/stack_cursor.h"
#include "cache/tree_writer.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

bool same_entry(const struct stat& one, const struct stat& other) noexcept {
  if (one.st_mode != other.st_mode || one.st_uid != other.st_uid || one.st_gid != other.st_gid) return false;
  if (S_ISDIR(one.st_mode)) return true;  // its time says only that something in it changed
  return one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
         one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

bool is_kept(const struct stat& info) noexcept {
  return !S_ISSOCK(info.st_mode) && !S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode);
}

}  // namespace

Selection select_content(const LayeredTree& tree, const CacheContent& content) {
  Selection selection = select_paths(tree, content.paths, {}, content.root);
  if (!content.untracked) return selection;
  const PathSet paths(content);
  std::set<std::string, std::less<>> known;
  for (const TreeEntry& entry : selection.entries) known.insert(entry.path);
  tree.walk(
      "",
      [&](const TreeEntry& entry) {
        const bool plain = entry.type == EntryType::file || entry.type == EntryType::symlink;
        if (plain && !known.contains(entry.path) && paths.takes_untracked(entry.path))
          selection.entries.push_back(entry);
      },
      [](const TreeEntry& directory) { return directory.path != ".git"; });
  std::sort(selection.entries.begin(), selection.entries.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
  return selection;
}

Comparison::Comparison(const Selection& selection, std::span<const fs::path> stack,
                       const OpenedTrees& opened) {
  compare(selection, stack, opened);
  part_changed_links(selection);
}

void Comparison::compare(const Selection& selection, std::span<const fs::path> stack,
                         const OpenedTrees& opened) {
  StackCursor there(stack);
  std::unordered_set<std::string> expected;  // what the entry may hold: the selection, and its parents
  for (const TreeEntry& entry : selection.entries) {
    struct stat info = stat_entry(entry);
    opened.correct(info);
    auto found = there.find(entry.path);
    if (found) opened.correct(found->info);
    const bool untouched = found && same_entry(found->info, info);
    if (!untouched && (is_kept(info) || found)) same_ = false;
    if (found && !S_ISDIR(found->info.st_mode) && !S_ISDIR(info.st_mode)) ++still_there_;
    stats_.emplace_back(info, found ? found->info : info);
    originals_.push_back(untouched ? (stack[found->layer] / entry.path).string() : std::string());
    expected.insert(entry.path);
    for (auto slash = entry.path.find('/'); slash != std::string::npos;
         slash = entry.path.find('/', slash + 1)) {
      expected.insert(entry.path.substr(0, slash));
    }
  }
  if (!same_) return;
  LayeredTree({stack.begin(), stack.end()})
      .walk(
          "", [&](const TreeEntry& entry) { same_ = same_ && expected.contains(entry.path); },
          [&](const TreeEntry&) { return same_; });
}

/// Names of one file here that are not names of one file there, or the other way round, are taken from here.
void Comparison::part_changed_links(const Selection& selection) {
  using Inode = std::pair<dev_t, ino_t>;
  std::map<Inode, std::set<Inode>> to, from;
  const auto is_file = [&](std::size_t i) {
    return selection.entries[i].type != EntryType::directory && !originals_[i].empty();
  };
  const auto here = [&](std::size_t i) { return Inode(stats_[i].first.st_dev, stats_[i].first.st_ino); };
  const auto there = [&](std::size_t i) { return Inode(stats_[i].second.st_dev, stats_[i].second.st_ino); };
  std::set<Inode> changed;  // files here with a name that is not of the entry
  for (std::size_t i = 0; i < originals_.size(); ++i) {
    if (is_file(i)) {
      to[here(i)].insert(there(i));
      from[there(i)].insert(here(i));
    } else if (selection.entries[i].type != EntryType::directory) {
      changed.insert(here(i));
    }
  }
  for (std::size_t i = 0; i < originals_.size(); ++i) {
    if (!is_file(i)) continue;
    if (to[here(i)].size() == 1 && from[there(i)].size() == 1 && !changed.contains(here(i))) continue;
    originals_[i].clear();
    same_ = false;
  }
}

}  // namespace runner::cache
