#include "runner/engine/select.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runner/base/glob.h"

namespace runner::engine {
namespace {

void add_untracked(const LayeredTree& tree, const SelectSpec& spec, Selection& selection) {
  std::set<std::string, std::less<>> known;
  for (const TreeEntry& entry : selection.entries) known.insert(entry.path);
  std::vector<Glob> excluded;
  for (const std::string& pattern : spec.exclude) excluded.emplace_back(pattern, GlobDialect::paths);
  const auto is_excluded = [&](const std::string& path) {
    return std::any_of(excluded.begin(), excluded.end(),
                       [&](const Glob& glob) { return glob.matches(path); });
  };
  tree.walk(
      "",
      [&](const TreeEntry& entry) {
        if (entry.type != EntryType::file && entry.type != EntryType::symlink) return;
        if (entry.path == ".git" || known.contains(entry.path) || is_excluded(entry.path)) return;
        if (spec.is_tracked && spec.is_tracked(entry.path)) return;
        selection.entries.push_back(entry);
      },
      [](const TreeEntry& directory) { return directory.path != ".git"; });
  std::sort(selection.entries.begin(), selection.entries.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
}

}  // namespace

Selection select_files(const LayeredTree& tree, const SelectSpec& spec) {
  Selection selection = select_paths(tree, spec.paths, spec.exclude, spec.root);
  if (spec.untracked) add_untracked(tree, spec, selection);
  return selection;
}

}  // namespace runner::engine
