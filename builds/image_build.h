#pragma once
// One build of an image from begin to end: what it is made of, whether it is there already, and if not the
// build and the push. One thread of the caller's; blocks.

#include <filesystem>
#include <stop_token>
#include <string>

#include "builds/build_request.h"

namespace runner::builds {

/// What is wrong with a request; "" = nothing. Pure.
std::string fault_of(const BuildRequest& request);

/// `place`: a private directory for what a build needs; nothing secret is written there. Throws BuildFailed,
/// Error: invalid_input, unavailable, timeout, corrupt, cancelled.
BuildOutputs build_image(const BuildRequest& request, const std::filesystem::path& place,
                         const std::stop_token& stop);

}  // namespace runner::builds
