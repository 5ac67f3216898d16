#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "runner/base/layered_reader.h"
#include "runner/base/layered_tree.h"

namespace runner {
namespace layered_detail {

std::optional<std::string> relative_pattern(std::string_view pattern, std::string_view root_path) {
  while (root_path.size() > 1 && root_path.back() == '/') root_path.remove_suffix(1);
  if (!pattern.empty() && pattern.front() == '/') {
    if (root_path == "/") {
      pattern.remove_prefix(1);
    } else {
      if (root_path.empty() || pattern.substr(0, root_path.size()) != root_path) return std::nullopt;
      pattern.remove_prefix(root_path.size());
      if (!pattern.empty() && pattern.front() != '/') return std::nullopt;
    }
    pattern.remove_prefix(std::min(pattern.find_first_not_of('/'), pattern.size()));
  }
  return clean_path(pattern);
}

std::string literal_path(std::string_view pattern) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    path += pattern[i];
  }
  return path;
}

std::string base_directory(std::string_view pattern) {
  const auto magic = pattern.find_first_of("*?[{\\");
  const auto slash = pattern.substr(0, magic).rfind('/');
  return std::string(pattern.substr(0, slash == std::string_view::npos ? 0 : slash));
}

}  // namespace layered_detail

namespace {

using layered_detail::base_directory;
using layered_detail::Child;
using layered_detail::Directory;
using layered_detail::LayeredReader;
using layered_detail::literal_path;
using layered_detail::relative_pattern;

struct Pattern {
  std::string text;  // as written
  Glob glob;
  bool found = false;
};

class Selector {
 public:
  Selector(const LayeredTree& tree, std::span<const std::string> exclude, std::string_view root_path,
           bool recursive, ClosedDirectory closed)
      : reader_(tree.layers(), closed), recursive_(recursive) {
    for (const std::string& pattern : exclude) {
      auto relative = relative_pattern(pattern, root_path);
      if (relative && !relative->empty()) excludes_.emplace_back(*relative, GlobDialect::paths);
    }
  }

  std::vector<TreeEntry> take_entries() {
    const auto by_path = [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; };
    if (!std::is_sorted(entries_.begin(), entries_.end(), by_path)) {
      std::sort(entries_.begin(), entries_.end(), by_path);
    }
    const auto same = [](const TreeEntry& a, const TreeEntry& b) { return a.path == b.path; };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
    return std::move(entries_);
  }

  std::vector<std::string> closed() const { return {reader_.closed().begin(), reader_.closed().end()}; }

  /// Takes `path`, when recursive with all below it. False when there is nothing.
  bool take_literal(const std::string& path) {
    auto found = reader_.find(path);
    if (!found) return false;
    const bool directory = found->entry.type == EntryType::directory;
    if (!path.empty()) take(std::move(found->entry));
    if (directory && recursive_) walk(found->directory, true, {});
    return true;
  }

  /// Takes what matches one of the patterns, all of which match only below `base`.
  void take_matches(const std::string& base, std::span<Pattern* const> patterns) {
    const auto found = reader_.find(base);
    if (!found) return;
    // `dir/**` matches the directory itself too.
    const bool whole = !base.empty() && match(found->entry, patterns, false);
    if (whole) take(found->entry);
    if (found->entry.type == EntryType::directory) walk(found->directory, whole && recursive_, patterns);
  }

 private:
  struct Level {
    Directory directory;
    std::vector<Child> children;
    std::size_t next = 0;
    bool whole = false;  // below a directory that was taken
  };

  bool excluded(const std::string& path) const {
    return std::any_of(excludes_.begin(), excludes_.end(),
                       [&](const Glob& glob) { return glob.matches(path); });
  }

  void take(TreeEntry entry) {
    if (!excluded(entry.path)) entries_.push_back(std::move(entry));
  }

  /// Some pattern matches the entry. Marks those that do; patterns that have found something are tried only
  /// as long as the answer is open.
  static bool match(const TreeEntry& entry, std::span<Pattern* const> patterns, bool known) {
    for (Pattern* pattern : patterns) {
      if (pattern->found && known) continue;
      if (!pattern->glob.matches(entry.path)) continue;
      pattern->found = true;
      known = true;
    }
    return known;
  }

  void walk(const Directory& start, bool whole, std::span<Pattern* const> patterns) {
    std::vector<Level> levels;
    levels.push_back(Level{start, reader_.children(start), 0, whole});
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next == level.children.size()) {
        levels.pop_back();
        continue;
      }
      const Child& child = level.children[level.next++];
      TreeEntry entry = reader_.entry(level.directory, child);
      const bool directory = entry.type == EntryType::directory;
      const bool taken = match(entry, patterns, level.whole);
      const bool all_below = taken && recursive_;
      const bool enter = directory && (all_below || could_match_below(entry.path, patterns));
      if (taken) take(std::move(entry));
      if (!enter) continue;
      Directory below = LayeredReader::descend(level.directory, child);
      std::vector<Child> children = reader_.children(below);
      levels.push_back(Level{std::move(below), std::move(children), 0, all_below});
    }
  }

  static bool could_match_below(const std::string& directory, std::span<Pattern* const> patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const Pattern* pattern) { return pattern->glob.could_match_below(directory); });
  }

  LayeredReader reader_;
  bool recursive_;
  std::vector<Glob> excludes_;
  std::vector<TreeEntry> entries_;
};

Selection select(const LayeredTree& tree, std::span<const std::string> paths,
                 std::span<const std::string> exclude, std::string_view root_path, bool recursive,
                 ClosedDirectory closed) {
  Selection selection;
  Selector selector(tree, exclude, root_path, recursive, closed);
  std::vector<Pattern> globs;
  std::set<std::string> seen;
  for (const std::string& text : paths) {
    if (!seen.insert(text).second) continue;
    const auto relative = relative_pattern(text, root_path);
    if (!relative) {
      selection.outside.push_back(text);
      continue;
    }
    Glob glob(*relative, GlobDialect::paths);
    if (!glob.is_literal()) {
      globs.push_back(Pattern{text, std::move(glob)});
    } else if (text.empty() || !selector.take_literal(literal_path(*relative))) {
      selection.without_match.push_back(text);
    }
  }
  // One walk for all patterns that start at the same place.
  std::map<std::string, std::vector<Pattern*>> by_base;
  for (Pattern& pattern : globs) by_base[base_directory(pattern.glob.pattern())].push_back(&pattern);
  for (const auto& [base, patterns] : by_base) selector.take_matches(base, patterns);
  for (const Pattern& pattern : globs) {
    if (!pattern.found) selection.without_match.push_back(pattern.text);
  }
  selection.entries = selector.take_entries();
  selection.closed = selector.closed();
  return selection;
}

}  // namespace

Selection select_paths(const LayeredTree& tree, std::span<const std::string> paths,
                       std::span<const std::string> exclude, std::string_view root_path) {
  return select(tree, paths, exclude, root_path, true, ClosedDirectory::fail);
}

Selection match_paths(const LayeredTree& tree, std::span<const std::string> paths, std::string_view root_path,
                      ClosedDirectory closed) {
  return select(tree, paths, {}, root_path, false, closed);
}

}  // namespace runner
