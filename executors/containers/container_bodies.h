#pragma once
// What an engine is told to make for a sandbox: names, labels and the bodies of requests. Pure; any thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "executors/executor.h"

namespace runner::executors {

/// Where a container finds the script of its step: this directory, and the file in it.
inline constexpr const char* kFilesTarget = "/runner";
inline constexpr const char* kStepScript = "step";
/// Labels on all that is made.
inline constexpr const char* kOwnerLabel = "io.runner.owner";
inline constexpr const char* kSandboxLabel = "io.runner.sandbox";

struct Ulimit {
  std::int64_t soft = 0, hard = 0;
};
using Ulimits = std::map<std::string, Ulimit>;  // "nofile"

/// How the things of a sandbox are named and marked. Names hold the sandbox's id as far as engines allow it,
/// and a digest of owner and id, so that two data directories may share an engine.
struct ContainerNames {
  std::string base;  // also that of the volume and the network
  std::map<std::string, std::string> labels;

  std::string build() const { return base + "-build"; }
  std::string service(std::size_t index) const { return base + "-svc-" + std::to_string(index); }
};
ContainerNames container_names(std::string_view owner, const SandboxId& id,
                               const std::map<std::string, std::string>& labels);

/// What of an image decides how a container of it is made.
struct ImageFacts {
  std::string id;      // what is run, also when the name is given to another image meanwhile
  std::string digest;  // "name@sha256:..." as its registry knows it; "" = it never came from one
  std::vector<std::string> entrypoint, command;
  std::vector<std::uint16_t> tcp_ports;  // exposed; ascending
};

/// The mount options of the workspace's volume; `links` holds a symbolic link to each lower ("0", "1" ...,
/// top first), to the upper ("u") and to the work directory ("w"). Throws Error{invalid_input} when they are
/// more than a mount takes, or `links` has a character in it that options cannot hold.
std::string overlay_options(const std::string& links, std::size_t lowers);
std::string volume_body(const ContainerNames& names, const std::string& options);
std::string network_body(const ContainerNames& names);

/// The container of the steps, in the sandbox's own network when it has services. `files` is the directory on
/// this machine that holds the script. Throws Error{invalid_input} for what JSON cannot hold.
std::string build_body(const SandboxSpec& spec, const ContainerNames& names, const ImageFacts& image,
                       const std::string& files, const Ulimits& ulimits);
/// Adds the engine's socket, at the places where programs look for it, with the variables that name them
/// unless there are such.
void add_engine_socket(SandboxSpec& spec, const std::string& socket, bool podman);
/// Throws Error{invalid_input} when neither the service nor its image says what to run.
std::string service_body(const SandboxSpec& spec, const ContainerService& service,
                         const ContainerNames& names, const ImageFacts& image, const Ulimits& ulimits);

}  // namespace runner::executors
