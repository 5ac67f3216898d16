#pragma once
// The two ways of building: Docker's own client, which speaks BuildKit's protocol with Docker, and Podman's
// API, which takes the context as an archive. Podman's client is not used: with a service on the other side
// it puts secrets into the context, and so into images. One thread; blocks until the image is there.
//
// Sources: `docker build` of 20.10 and its documentation of BuildKit; Podman 4 API, "Build an image"
// (/libpod/build).

#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "builds/build_context.h"
#include "builds/build_engine.h"
#include "builds/build_request.h"
#include "registry/logins.h"

namespace runner::builds {

struct BuildOrder {
  const BuildRequest& request;
  const BuildContext& context;
  std::string dockerfile;  // its text, with the bases that were looked up
  std::string platform;    // "" = the engine's
  std::map<std::string, std::string> labels;
  std::map<std::string, registry::Login> logins;  // by host, for what is pulled
  std::filesystem::path place;                    // a directory of this build; holds no secret
};

/// The id of the image: "sha256:...". Throws BuildFailed when an instruction failed; Error: invalid_input,
/// unavailable, cancelled.
std::string build_with_docker(BuildEngine& engine, const BuildOrder& order, const std::stop_token& stop);
std::string build_with_podman(BuildEngine& engine, const BuildOrder& order, const std::stop_token& stop);

/// The words after "docker", without values of arguments and secrets. Pure.
std::vector<std::string> docker_words(const BuildOrder& order,
                                      const std::map<std::string, std::string>& secret_paths);
/// Names of arguments that would steer Docker's client, as it takes their values from its environment. Pure.
bool steers_docker(const std::string& name);
/// Path and query for Podman's API; `secret_files` by id. Pure.
std::string podman_target(const BuildOrder& order, const std::map<std::string, std::string>& secret_files);
/// {"auths": ...} for Docker's client, X-Registry-Config for Podman. Pure.
std::string docker_config(const std::map<std::string, registry::Login>& logins);
std::string podman_config(const std::map<std::string, registry::Login>& logins);

/// The client of Docker that builds: the first `docker` in PATH, or where it usually is, that can build with
/// BuildKit. `memory`: BuildRequest. Throws Error{unavailable} with the mend when there is none, and
/// cancelled.
std::string docker_client(const std::map<std::string, std::string>& environment,
                          const std::filesystem::path& memory, const std::stop_token& stop);

}  // namespace runner::builds
