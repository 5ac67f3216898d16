#pragma once
// Images of an engine: pulled as policies say, and looked at. Any thread; blocks on the engine and on
// registries.

#include <stop_token>
#include <string>
#include <vector>

#include "executors/containers/container_bodies.h"
#include "executors/containers/engine_api.h"
#include "executors/containers/image_records.h"
#include "executors/executor.h"
#include "registry/reference.h"

namespace runner::executors {

/// Tries the policies in order and says in the log what it does; what it pulls is recorded. Throws
/// Error{invalid_input} "image 'X' cannot be pulled: ..." for what the job or its logins must mend (not
/// found, no access), Error{unavailable} for network, disk and engine, Error{cancelled}.
ImageFacts provide_image(const EngineApi& api, const ContainerImage& image,
                         const std::vector<RegistryLogin>& logins, LogSink& sink, const std::stop_token& stop,
                         const ImageRecords& records = ImageRecords({}));

/// Where the engine's API has an image of this name or id.
std::string image_path(const std::string& name);

/// The login whose registry, or group in it, is the longest that holds the image; nullptr: none does.
const RegistryLogin* login_for(const registry::Reference& image, const std::vector<RegistryLogin>& logins);
/// The value of X-Registry-Auth.
std::string registry_auth(const RegistryLogin& login);

}  // namespace runner::executors
