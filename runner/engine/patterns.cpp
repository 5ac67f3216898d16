#include "runner/engine/patterns.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::string_view kMagic = "*?[]{}\\";

std::string_view below_root(std::string_view pattern, std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  if (!root.empty() && pattern.starts_with(root) &&
      (pattern.size() == root.size() || pattern[root.size()] == '/')) {
    pattern.remove_prefix(root.size());
  }
  return pattern;
}

/// "a/b" of "./a//b/*.o"; "" when it may begin anywhere.
std::string literal_beginning(std::string_view pattern, std::string_view root) {
  std::string beginning;
  bool literal = true;
  for (const std::string_view part : split(below_root(pattern, root), '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return {};
    literal = literal && part.find_first_of(kMagic) == std::string_view::npos;
    if (!literal) continue;
    if (!beginning.empty()) beginning += '/';
    beginning += part;
  }
  return beginning;
}

bool is_in(std::string_view path, std::string_view directory) {
  return directory.empty() ||
         (path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/'));
}

}  // namespace

bool may_overlap(std::span<const std::string> some, std::span<const std::string> others,
                 std::string_view root) {
  std::vector<std::string> beginnings;
  for (const std::string& other : others) beginnings.push_back(literal_beginning(other, root));
  return std::any_of(some.begin(), some.end(), [&](const std::string& pattern) {
    const std::string own = literal_beginning(pattern, root);
    return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) {
      return is_in(own, beginning) || is_in(beginning, own);
    });
  });
}

std::string canonical_patterns(std::span<const std::string> patterns, std::string_view root) {
  std::vector<std::string> lines;
  for (const std::string& pattern : patterns) {
    std::string_view line = below_root(pattern, root);
    while (line.starts_with("./") || line.starts_with('/')) line.remove_prefix(line.front() == '/' ? 1 : 2);
    while (line.size() > 1 && line.ends_with('/')) line.remove_suffix(1);
    lines.emplace_back(line.empty() ? "." : line);
  }
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return join(lines, "\n");
}

}  // namespace runner::engine
