#include "cache/path_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runner/base/layered_reader.h"

namespace runner::cache {
namespace {

bool lies_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path[directory.size()] == '/' && path.starts_with(directory);
}

bool is_git(std::string_view path) {
  return path == ".git" || lies_below(path, ".git");
}

}  // namespace

PathSet::PathSet(const CacheContent& content) : content_(content) {
  std::set<std::string_view> seen;
  for (const std::string& text : content.paths) {
    if (text.empty() || !seen.insert(text).second) continue;
    const auto relative = layered_detail::relative_pattern(text, content.root);
    if (!relative) {
      outside_.push_back(text);
      continue;
    }
    Pattern pattern{text, {}, Glob(*relative, GlobDialect::paths)};
    pattern.is_literal = pattern.glob.is_literal();
    if (pattern.is_literal) pattern.literal = layered_detail::literal_path(*relative);
    if (pattern.is_literal && pattern.literal.empty()) root_ = pattern.found = true;
    patterns_.push_back(std::move(pattern));
  }
}

bool PathSet::matches(std::string_view path) {
  bool any = root_;
  for (Pattern& pattern : patterns_) {
    if (any && pattern.found) continue;
    if (!(pattern.is_literal ? pattern.literal == path : pattern.glob.matches(path))) continue;
    pattern.found = any = true;
  }
  return any;
}

bool PathSet::could_match_below(std::string_view directory) const {
  if (root_ || directory.empty()) return true;
  if (content_.untracked && !is_git(directory)) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return pattern.is_literal ? lies_below(pattern.literal, directory)
                              : pattern.glob.could_match_below(directory);
  });
}

bool PathSet::takes_untracked(std::string_view path) const {
  return content_.untracked && !is_git(path) && !(content_.is_tracked && content_.is_tracked(path));
}

std::vector<PathSet::Unmatched> PathSet::unmatched() const {
  std::vector<Unmatched> all;
  for (const Pattern& pattern : patterns_) {
    if (!pattern.found) all.push_back({pattern.text, pattern.is_literal, pattern.literal});
  }
  return all;
}

}  // namespace runner::cache
