#pragma once
// An image in its registry: found by its key, sent once, named many times. Tags move last, when all that they
// name is there and has been looked at. One thread; blocks on the network. Errors as of RegistryClient.

#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "builds/build_engine.h"
#include "builds/input_key.h"
#include "registry/registry_client.h"

namespace runner::builds {

/// Of what `image` names; nullopt when its registry has no such.
std::optional<registry::Manifest> find_published(registry::RegistryClient& client,
                                                 const registry::Reference& image,
                                                 const std::stop_token& stop);
/// The inputs that an image says it was built from, for the reason of a new build; nullopt when there is no
/// image, or it does not say. Throws nothing but Error{cancelled}.
std::optional<BuildInputs> published_inputs(registry::RegistryClient& client,
                                            const registry::Reference& image,
                                            const registry::Platform& platform, const std::stop_token& stop);

/// Names `manifest`, which is in the repository of `from`, by all these tags, at the same time; parts are
/// copied to other repositories first. Gives the tags that named something else before.
std::vector<registry::Reference> name_all(registry::RegistryClient& client, const registry::Reference& from,
                                          const registry::Manifest& manifest,
                                          const std::vector<registry::Reference>& tags,
                                          const std::stop_token& stop);

/// Lets the engine send what it has under this name, again when it fails for what goes away; then asks the
/// registry what it has. Throws Error{corrupt} when that is not what the engine says it sent.
registry::Manifest push_verified(BuildEngine& engine, registry::RegistryClient& client,
                                 const registry::Reference& name, const std::optional<registry::Login>& login,
                                 const std::stop_token& stop);

/// An OCI index of one image for each platform ("linux/arm64"). Pure.
registry::Manifest make_index(const std::vector<std::pair<std::string, registry::Descriptor>>& images);

}  // namespace runner::builds
