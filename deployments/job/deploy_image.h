#pragma once
// The image of a release by its digest. Internal to this folder; one thread; blocks on registries and on the
// engine.

#include <map>
#include <stop_token>
#include <string>

#include "deployments/target.h"
#include "registry/logins.h"

namespace runner::deployments {

struct ImagePlace {
  std::string engine;                                   // deploy:compose:host
  std::map<std::string, std::string> environment;       // by which the engine is found
  const std::map<std::string, std::string>& variables;  // of the job: its logins
};

/// Of DOCKER_AUTH_CONFIG, and of CI_REGISTRY with its user and password. Throws Error{invalid_input}.
registry::Logins registry_logins(const std::map<std::string, std::string>& variables);

/// NAME@sha256:..., whatever tag `image` has: as its registry says, or where that knows nothing of it, as the
/// engine does, which is told. Throws Error{invalid_input} with the mend when nobody knows a digest.
std::string pinned_image(const std::string& image, const ImagePlace& place, const TellLine& tell,
                         const std::stop_token& stop);

/// What the image of a deployment was resolved to when it began, by its plan; "": it has not begun. What goes
/// on, and what is put back, is that image, whatever its tag names by now.
std::string image_of_plan(const std::string& plan);

}  // namespace runner::deployments
