#pragma once

#include <string>

namespace runner::git {

/// Of the git library in use, and what it can fetch by: "1.5.1 (https, ssh)". Any thread.
std::string library_version();

}  // namespace runner::git
