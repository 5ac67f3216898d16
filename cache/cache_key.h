#pragma once
// Names of directories for keys that may be any text. Internal to this folder.

#include <string>
#include <string_view>

namespace runner::cache {

/// Short lower-case keys of harmless characters stand for themselves; any other gets a readable beginning,
/// '~' and its SHA-256. Different keys have different names, also where the file system ignores case. Never
/// empty, "." or
/// "..", never a separator, at most 110 bytes.
std::string directory_name(std::string_view key);

}  // namespace runner::cache
