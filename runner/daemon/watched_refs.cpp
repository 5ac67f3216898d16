#include "runner/daemon/watched_refs.h"

#include <algorithm>
#include <string_view>

#include "runner/forge/merge_request.h"

namespace runner::daemon {
namespace {

using storage::ProjectRecord;

constexpr std::string_view kBranch = "refs/heads/", kTag = "refs/tags/";

/// `*` matches any text, as in branch rules of forges.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t at = 0, star = std::string_view::npos, mark = 0, i = 0;
  while (i < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      mark = i;
    } else if (at < pattern.size() && pattern[at] == name[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++mark;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

bool is_watched(const ProjectRecord& project, std::string_view ref) {
  const auto one_of = [](const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, name); });
  };
  if (ref.starts_with(kBranch)) return one_of(project.branches, ref.substr(kBranch.size()));
  if (ref.starts_with(kTag)) return one_of(project.tags, ref.substr(kTag.size()));
  return false;
}

}  // namespace

std::optional<std::int64_t> merge_request_of(const ProjectRecord& project, const std::string& ref) {
  return forge::merge_request_number(forge::place_of(project).kind, ref);
}

std::vector<ChangedRef> changed_refs(const ProjectRecord& project, const git::RemoteRefs& remote,
                                     const std::map<std::string, std::string>& known) {
  std::vector<ChangedRef> changed;
  const forge::ForgeKind kind = forge::place_of(project).kind;
  for (const git::RemoteRef& ref : remote.refs) {
    const bool request = project.merge_requests && forge::merge_request_number(kind, ref.name);
    if (!request && !is_watched(project, ref.name)) continue;
    const std::string& commit = ref.peeled.empty() ? ref.id : ref.peeled;
    const auto before = known.find(ref.name);
    if (before != known.end() && before->second == commit) continue;
    changed.push_back({ref.name, before == known.end() ? "" : before->second, commit});
  }
  return changed;
}

}  // namespace runner::daemon
