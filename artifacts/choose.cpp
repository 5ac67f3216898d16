#include "artifacts/choose.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "runner/base/glob.h"

namespace runner::artifacts {
namespace {

using layered_detail::Child;
using layered_detail::Directory;
using layered_detail::Found;
using layered_detail::LayeredReader;

struct Pattern {
  std::string text;  // as written
  Glob glob;
  bool found = false;
};

/// What follows the base directory of these selects everything in it.
bool selects_all_below(std::string_view pattern, std::string_view base) {
  if (!base.empty()) pattern.remove_prefix(base.size() + 1);
  return pattern == "*" || pattern == "**" || pattern == "**/*";
}

class Chooser {
 public:
  Chooser(const TakeRequest& request, const LayeredReader& reader) : request_(request), reader_(reader) {
    for (const std::string& pattern : request.exclude) {
      auto relative = layered_detail::relative_pattern(pattern, request.root);
      if (relative && !relative->empty()) excludes_.emplace_back(*relative, GlobDialect::paths);
    }
  }

  Choice run() {
    std::vector<Pattern> globs;
    std::set<std::string> seen;
    for (const std::string& text : request_.paths) {
      if (!seen.insert(text).second) continue;
      const auto relative = layered_detail::relative_pattern(text, request_.root);
      if (!relative) {
        choice_.outside.push_back(text);
        continue;
      }
      Glob glob(*relative, GlobDialect::paths);
      if (!glob.is_literal()) {
        globs.push_back(Pattern{text, std::move(glob)});
      } else if (text.empty() || !take_literal(layered_detail::literal_path(*relative))) {
        choice_.without_match.push_back(text);
      }
    }
    take_globs(globs);
    if (request_.untracked) take_untracked();
    drop_covered();
    return std::move(choice_);
  }

 private:
  struct Level {
    Directory directory;
    std::vector<Child> children;
    std::size_t next = 0;
    bool taken = false;    // all below is selected
    bool covered = false;  // and an item above stands for it
  };

  void take_globs(std::vector<Pattern>& globs) {
    // One walk for all patterns that start at the same place.
    std::map<std::string, std::vector<Pattern*>> by_base;
    for (Pattern& pattern : globs) {
      by_base[layered_detail::base_directory(pattern.glob.pattern())].push_back(&pattern);
    }
    for (const auto& [base, patterns] : by_base) take_matches(base, patterns);
    for (const Pattern& pattern : globs) {
      if (!pattern.found) choice_.without_match.push_back(pattern.text);
    }
  }

  bool take_literal(const std::string& path) {
    const auto found = reader_.find(path);
    if (!found) return false;
    Child child;
    child.type = found->entry.type;
    child.layer = static_cast<std::uint32_t>(found->entry.layer);
    const bool covered = take(path, child, found->directory);
    if (child.type == EntryType::directory && !covered) walk(found->directory, true, covered, {});
    return true;
  }

  /// All patterns match below `base` only.
  void take_matches(const std::string& base, std::span<Pattern* const> patterns) {
    const auto found = reader_.find(base);
    if (!found) return;
    Child child;
    child.type = found->entry.type;
    child.layer = static_cast<std::uint32_t>(found->entry.layer);
    // `dir/**` matches the directory itself too.
    const bool taken = !base.empty() && match(base, patterns, false);
    bool covered = taken && take(base, child, found->directory);
    if (child.type != EntryType::directory) return;
    if (!taken) covered = take_content(*found, patterns);
    const bool open =
        std::any_of(patterns.begin(), patterns.end(), [](const Pattern* p) { return !p->found; });
    if (!covered || open) walk(found->directory, taken || covered, covered, patterns);
  }

  /// `dir/*` and the like: all that is in the directory, but not the directory itself.
  bool take_content(const Found& found, std::span<Pattern* const> patterns) {
    if (!nothing_excluded_below(found.directory.path)) return false;
    std::vector<std::string> expected_by;
    for (Pattern* pattern : patterns) {
      if (!selects_all_below(pattern->glob.pattern(), found.directory.path)) continue;
      expected_by.push_back(pattern->text);
      pattern->found = true;  // whoever moves it will see
    }
    if (expected_by.empty()) return false;
    Item item;
    item.path = found.directory.path;
    item.type = EntryType::directory;
    item.layer = static_cast<std::uint32_t>(found.entry.layer);
    item.layers = found.directory.layers;
    item.own = false;
    item.whole = true;
    item.expected_by = std::move(expected_by);
    choice_.items.push_back(std::move(item));
    return true;
  }

  /// True when the item stands for all that is below it too.
  bool take(const std::string& path, const Child& child, const Directory& directory) {
    Item item;
    item.path = path;
    item.type = child.type;
    item.layer = child.layer;
    if (child.type == EntryType::directory) {
      item.layers = directory.layers;
      item.whole = nothing_excluded_below(path);
    }
    item.own = !path.empty() && !excluded(path);
    const bool whole = item.whole;
    if (item.own || whole) choice_.items.push_back(std::move(item));
    return whole;
  }

  bool excluded(const std::string& path) const {
    return std::any_of(excludes_.begin(), excludes_.end(),
                       [&](const Glob& glob) { return glob.matches(path); });
  }

  bool nothing_excluded_below(const std::string& path) const {
    return std::none_of(excludes_.begin(), excludes_.end(),
                        [&](const Glob& glob) { return glob.could_match_below(path); });
  }

  /// Some pattern matches. Marks those that do; patterns that have found something are tried only as long as
  /// the answer is open.
  static bool match(const std::string& path, std::span<Pattern* const> patterns, bool known) {
    for (Pattern* pattern : patterns) {
      if (pattern->found && known) continue;
      if (!pattern->glob.matches(path)) continue;
      pattern->found = true;
      known = true;
    }
    return known;
  }

  /// What is covered is entered only for patterns that have found nothing yet.
  static bool could_match_below(const std::string& path, std::span<Pattern* const> patterns, bool covered) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern* pattern) {
      return (!covered || !pattern->found) && pattern->glob.could_match_below(path);
    });
  }

  void walk(const Directory& start, bool taken, bool covered, std::span<Pattern* const> patterns) {
    std::vector<Level> levels;
    levels.push_back(Level{start, reader_.children(start), 0, taken, covered});
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next == level.children.size()) {
        levels.pop_back();
        continue;
      }
      const Child& child = level.children[level.next++];
      const std::string path = layered_detail::child_path(level.directory.path, child.name);
      const bool child_taken = match(path, patterns, level.taken);
      bool child_covered = level.covered;
      Directory below;
      if (child.type == EntryType::directory) below = LayeredReader::descend(level.directory, child);
      if (child_taken && !child_covered) child_covered = take(path, child, below);
      if (child.type != EntryType::directory) continue;
      const bool enter = (child_taken && !child_covered) || could_match_below(path, patterns, child_covered);
      if (!enter) continue;
      std::vector<Child> children = reader_.children(below);
      levels.push_back(Level{std::move(below), std::move(children), 0, child_taken, child_covered});
    }
  }

  void take_untracked() {
    std::unordered_set<std::string> covered;
    for (const Item& item : choice_.items) {
      if (item.whole) covered.insert(item.path);
    }
    const LayeredTree tree(request_.layers);
    tree.walk(
        "",
        [&](const TreeEntry& entry) {
          if (entry.type != EntryType::file && entry.type != EntryType::symlink) return;
          if (entry.path == ".git" || excluded(entry.path)) return;
          if (request_.is_tracked && request_.is_tracked(entry.path)) return;
          Item item;
          item.path = entry.path;
          item.type = entry.type;
          item.layer = static_cast<std::uint32_t>(entry.layer);
          choice_.items.push_back(std::move(item));
        },
        [&](const TreeEntry& entry) { return entry.path != ".git" && !covered.contains(entry.path); });
  }

  /// Each path once, and nothing that an item above it stands for.
  void drop_covered() {
    std::vector<Item>& items = choice_.items;
    std::stable_sort(items.begin(), items.end(),
                     [](const Item& a, const Item& b) { return a.path < b.path; });
    std::vector<Item> kept;
    std::unordered_set<std::string> whole;
    for (Item& item : items) {
      if (!kept.empty() && kept.back().path == item.path) {
        merge(kept.back(), std::move(item));
      } else {
        kept.push_back(std::move(item));
      }
      if (kept.back().whole) whole.insert(kept.back().path);
    }
    items.clear();
    for (Item& item : kept) {
      if (!is_below_one_of(whole, item.path)) {
        items.push_back(std::move(item));
      } else if (!item.expected_by.empty() && reader_.children({item.path, item.layers}).empty()) {
        std::move(item.expected_by.begin(), item.expected_by.end(),
                  std::back_inserter(choice_.without_match));
      }
    }
  }

  static void merge(Item& item, Item other) {
    item.own = item.own || other.own;
    item.whole = item.whole || other.whole;
    std::move(other.expected_by.begin(), other.expected_by.end(), std::back_inserter(item.expected_by));
  }

  static bool is_below_one_of(const std::unordered_set<std::string>& directories, const std::string& path) {
    if (directories.empty() || path.empty()) return false;
    if (directories.contains("")) return true;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (directories.contains(path.substr(0, slash))) return true;
    }
    return false;
  }

  const TakeRequest& request_;
  const LayeredReader& reader_;
  std::vector<Glob> excludes_;
  Choice choice_;
};

}  // namespace

Choice choose(const TakeRequest& request, const LayeredReader& reader) {
  return Chooser(request, reader).run();
}

}  // namespace runner::artifacts
