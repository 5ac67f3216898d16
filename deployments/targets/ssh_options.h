#pragma once
// What a target of hosts by ssh is told.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "deployments/target.h"

namespace runner::deployments {

struct SshHost {
  std::string address;                  // [USER@]NAME[:PORT]; a NAME with colons is in brackets
  std::string root;                     // "": SshOptions::root
  std::map<Slot, std::uint16_t> ports;  // empty: SshOptions::ports
};

struct SshOptions {
  std::vector<SshHost> hosts;
  std::string user;  // of those whose address has none; "": ours
  /// How we are let in, the first that is there: the text of a private key without a passphrase; a file with
  /// one; the socket of an agent.
  std::string private_key;
  std::filesystem::path identity_file;
  std::string agent_socket;
  /// Lines of known hosts, or a file with them. A host that is not among them is not talked to.
  std::string known_hosts;
  std::filesystem::path known_hosts_file;
  std::string jump;  // [USER@]NAME[:PORT] of a host that the others are reached through; "": directly

  std::string root;  // on the hosts, absolute: releases/, shared/, current or slots/

  /// A unit of systemd, in which %slot stands for the slot: shop@%slot.service. Or three commands of a POSIX
  /// shell, run in the directory of the release with RUNNER_SLOT, RUNNER_RELEASE, RUNNER_RELEASE_DIR,
  /// RUNNER_PORT and RUNNER_ROOT. `start` ends once it has started it; it may leave it in the background.
  /// `stop` asks it to end (RUNNER_FORCE=0), and is run again with RUNNER_FORCE=1 when it has not after
  /// RUNNER_GRACE seconds. `status` ends with 0 while it runs.
  std::string service;
  std::string start, stop, status;
  /// Where it answers, for each slot: with a port for blue and one for green there are two slots.
  std::map<Slot, std::uint16_t> ports;

  std::chrono::milliseconds connect{15'000};
  std::chrono::milliseconds verb{120'000};      // what a verb may take that has no time of its own
  std::chrono::milliseconds upload{1'800'000};  // prepare
  std::chrono::milliseconds lock{30'000};       // wait for our own earlier verb that was cut off
};

/// An address of SshHost, taken apart.
struct SshAddress {
  std::string user, name;
  std::uint16_t port = 22;
  std::string unit;  // NAME, or NAME:PORT when that is not 22: the name of the unit
};

/// Throws Error{invalid_input} for what ssh could take for something else.
SshAddress parse_ssh_address(const std::string& text);
/// All of it. Throws Error{invalid_input}.
void check_ssh_options(const SshOptions& options);

}  // namespace runner::deployments
