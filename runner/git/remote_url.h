#pragma once
// What a remote's URL says. Pure; any thread.

#include <string>
#include <string_view>

namespace runner::git {

/// The URL without what must not be shown: no password, and for http(s) no user either (it may be a token).
std::string without_credentials(std::string_view url);

/// "group/sub/name" of "https://host/group/sub/name.git", "git@host:group/sub/name.git" and the like; of a
/// plain directory its last part. Empty when there is none.
std::string project_path_of(std::string_view url);

}  // namespace runner::git
