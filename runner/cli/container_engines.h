#pragma once
// Which container engines answer on this machine. Asks sockets only; waits a second for each at most.

#include <filesystem>
#include <string>
#include <vector>

namespace runner::cli {

struct ContainerEngine {
  std::string name;  // "docker", "podman"
  std::filesystem::path socket;
  std::string version;  // empty: it does not answer
  std::string why_not;  // then
};

/// The sockets that are there, by the engines' own rules: $DOCKER_HOST and $CONTAINER_HOST, those of the
/// system, those of this user. Any thread.
std::vector<ContainerEngine> find_container_engines();
/// The one of a path; none when there is no socket. Its name is that of the socket's file.
std::vector<ContainerEngine> look_at_container_engine(const std::filesystem::path& socket);

}  // namespace runner::cli
