#pragma once

#include <string>

namespace runner::git {

/// Of the git library in use: "1.5.1". Any thread.
std::string library_version();

}  // namespace runner::git
