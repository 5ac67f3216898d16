#pragma once
// The images that a Dockerfile builds on, as they are at this moment.

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "builds/dockerfile.h"
#include "registry/logins.h"
#include "registry/registry_client.h"

namespace runner::builds {

struct Base {
  std::string digest;  // of the registry's manifest, or of an image that only the engine has its id
  std::string pinned;  // a reference that names exactly it; "" = the name as it was written
  std::string remark;  // for people; "" = none
  bool operator==(const Base&) const = default;
};

/// What the engine has under a name: what it is known by. nullopt: nothing, or there is no engine.
using LocalDigest = std::function<std::optional<std::string>(const registry::Reference& image,
                                                             const std::string& as_written)>;

struct BaseSources {
  const registry::Logins& logins;
  registry::ClientOptions options;
  LocalDigest local;  // called by one thread at a time
};

/// By image as it is written, each once: asks their registries, all at the same time. What a registry does
/// not have, or where it cannot be asked, the engine's own image counts. Blocks. Throws Error that names the
/// place in the Dockerfile `name`.
std::map<std::string, Base> resolve_bases(const std::vector<ImageUse>& uses, const std::string& name,
                                          const BaseSources& sources, const std::stop_token& stop);

}  // namespace runner::builds
