#pragma once
// What a compose target is told.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "deployments/target.h"
#include "registry/logins.h"

namespace runner::deployments {

struct ComposeOptions {
  std::filesystem::path socket;  // of the engine
  /// Names what is made: [a-z0-9][a-z0-9_-]*. Blue, green and each replica are projects of their own:
  /// PROJECT-blue, PROJECT-green, PROJECT-1, PROJECT-2 and so on.
  std::string project;
  std::string service;  // of the compose file
  std::string image_variable = "IMAGE", port_variable = "PORT";
  std::map<Slot, std::uint16_t> ports;           // on which it answers, on this machine
  std::vector<std::uint16_t> replicas;           // in place of `ports`: it runs so many times, each with one
  std::map<std::string, std::string> variables;  // that the compose file may use besides
  std::filesystem::path workspace;               // what is mounted from below it is refused; "": nothing is
  std::filesystem::path directory;               // of ours, private
  registry::Logins logins;
  TellLine tell;  // what docker-compose says; may be empty
};

/// The project of an environment: both names with '-' between, and a digest where that leaves something out.
std::string compose_project(const std::string& project, const std::string& environment);

/// Where the engine answers: `host` (unix:///PATH), else what $DOCKER_HOST says, else where Docker and Podman
/// are by themselves. Throws Error{invalid_input} for what is no unix socket, Error{unavailable} when there
/// is none.
std::filesystem::path compose_socket(const std::string& host,
                                     const std::map<std::string, std::string>& environment);

/// Throws Error{invalid_input} with the key.
void check_compose_options(const ComposeOptions& options);

}  // namespace runner::deployments
