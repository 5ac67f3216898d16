#pragma once
// Compose files: what docker-compose has rendered becomes the file of one release, one slot or one command.
// Pure; any thread. Internal to this folder.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace runner::deployments {

struct ComposeWishes {
  std::string service;
  std::string image;           // by digest
  std::uint16_t port = 0;      // that the slot answers on; 0: it is not known
  std::string port_variable;   // for messages
  bool several = false;        // it runs more than once on the engine
  std::filesystem::path gone;  // the workspace: nothing below it outlives the job
};

/// The rendered YAML as JSON, with the image in place of the service's own. Throws Error{invalid_input} with
/// the key and the mend for what cannot work: no such service, another port than the slot's, more than one
/// container, a fixed name for two, files of the workspace that are mounted.
std::string compose_config(const std::string& rendered, const ComposeWishes& wishes);

/// The file by which a container of the service is made: with these labels.
std::string service_file(const std::string& config, const std::string& service,
                         const std::map<std::string, std::string>& labels);

/// One by which a container for a command is made: the service's image, environment, networks and volumes,
/// without its ports and name, under the service `as`. The script is a POSIX shell's, with -e.
std::string command_file(const std::string& config, const std::string& service, const std::string& as,
                         const std::string& script, const std::map<std::string, std::string>& environment,
                         const std::map<std::string, std::string>& labels);

}  // namespace runner::deployments
