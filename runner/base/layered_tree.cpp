#include "runner/base/layered_tree.h"

#include <utility>

#include "runner/base/layered_reader.h"

namespace runner {

using layered_detail::Child;
using layered_detail::Directory;
using layered_detail::LayeredReader;

LayeredTree::LayeredTree(std::vector<std::filesystem::path> layers_top_first)
    : layers_(std::move(layers_top_first)) {}

std::optional<TreeEntry> LayeredTree::find(std::string_view path) const {
  const auto clean = layered_detail::clean_path(path);
  if (!clean) return std::nullopt;
  auto found = LayeredReader(layers_).find(*clean);
  if (!found) return std::nullopt;
  return std::move(found->entry);
}

std::vector<TreeEntry> LayeredTree::list(std::string_view directory) const {
  std::vector<TreeEntry> entries;
  const auto clean = layered_detail::clean_path(directory);
  if (!clean) return entries;
  const LayeredReader reader(layers_);
  const auto found = reader.find(*clean);
  if (!found || found->entry.type != EntryType::directory) return entries;
  for (const Child& child : reader.children(found->directory)) {
    entries.push_back(reader.entry(found->directory, child));
  }
  return entries;
}

void LayeredTree::walk(std::string_view from, const std::function<void(const TreeEntry&)>& visit,
                       const std::function<bool(const TreeEntry&)>& enter) const {
  const auto clean = layered_detail::clean_path(from);
  if (!clean) return;
  const LayeredReader reader(layers_);
  auto found = reader.find(*clean);
  if (!found || found->entry.type != EntryType::directory) return;
  // A list of open levels instead of recursion: how deep a tree is, is up to the job.
  struct Level {
    Directory directory;
    std::vector<Child> children;
    std::size_t next = 0;
  };
  std::vector<Level> levels;
  const auto open = [&](Directory directory) {
    std::vector<Child> children = reader.children(directory);
    levels.push_back(Level{std::move(directory), std::move(children), 0});
  };
  open(std::move(found->directory));
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == level.children.size()) {
      levels.pop_back();
      continue;
    }
    const Child& child = level.children[level.next++];
    const TreeEntry entry = reader.entry(level.directory, child);
    visit(entry);
    if (entry.type == EntryType::directory && enter(entry))
      open(LayeredReader::descend(level.directory, child));
  }
}

}  // namespace runner
