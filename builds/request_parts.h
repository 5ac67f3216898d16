#pragma once
// What a request says, as the client of registries takes it. Internal to this folder.

#include <vector>

#include "builds/build_request.h"
#include "registry/client_options.h"
#include "registry/logins.h"
#include "registry/reference.h"

namespace runner::builds {

/// Reads the files that are named. Throws Error{invalid_input} with the place, never with a value.
registry::Logins logins_of(const BuildRequest& request);
registry::ClientOptions options_of(const BuildRequest& request);
/// Each once, with a tag; the main one first. Throws Error{invalid_input}.
std::vector<registry::Reference> tags_of(const BuildRequest& request);

}  // namespace runner::builds
