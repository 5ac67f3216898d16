#pragma once
// What .gitmodules says, read with care: it comes from whoever wrote the commit. Pure. Internal to this
// folder.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace runner::git {

struct Submodule {
  std::string name, path, url;
};

/// Sections without a path are left out; of two with one path the last counts. Throws Error{invalid_input}
/// for a name, path or URL that no git would take: "..", an absolute path, a leading '-'.
std::vector<Submodule> parse_gitmodules(std::string_view text);

/// "../other.git" counted from the URL of the project around it; others as they are. Throws Error when it
/// climbs above the server.
std::string resolve_submodule_url(std::string_view project, std::string_view url);

/// GIT_SUBMODULE_PATHS: a path, a directory above it or a pattern; ":(exclude)PATTERN", ":!PATTERN" and
/// ":^PATTERN" leave out. Without patterns that take, all are taken.
bool is_chosen(std::string_view path, std::span<const std::string> patterns);

}  // namespace runner::git
