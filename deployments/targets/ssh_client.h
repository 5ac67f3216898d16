#pragma once
// One call of the script of ssh_script.h on a host, by the OpenSSH client: ssh(1), ssh_config(5). Internal to
// this folder.
//
// Connections to a host are shared (ControlMaster) below a private directory, and end a minute after the last
// call. Any thread; calls to one host one after the other.

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "deployments/targets/ssh_options.h"
#include "runner/base/files.h"

namespace runner::deployments {

struct SshCall {
  std::string verb;
  std::string request;                           // assignments for the script, besides `verb`
  std::function<bool(std::string& piece)> data;  // what follows the request; may be empty
  std::function<void(std::string_view line)> on_output;
  std::chrono::milliseconds timeout{0};
};

/// What the script answered; never more than that it said.
struct SshAnswer {
  std::vector<std::vector<std::string>> facts;  // words of lines "runner:..."
  bool timed_out = false;                       // we gave up; what it did is unknown
};

class SshClient {
 public:
  /// Writes key and known hosts to files that only we can read. Throws Error.
  explicit SshClient(const SshOptions& options);

  /// Throws StaleFence; Error: timeout (busy, with its holder), unavailable (no connection, or it ended in
  /// the middle), invalid_input (ssh's key or the host's are not right), cancelled, and what the script says.
  SshAnswer call(std::size_t host, const SshCall& call, const std::stop_token& stop) const;
  /// Ends the shared connection.
  void disconnect(std::size_t host) const noexcept;

 private:
  std::vector<std::string> options_for(const SshAddress& address) const;
  std::vector<std::string> command_line(std::size_t host) const;
  std::string control_path(std::size_t host) const;

  TempDir directory_{"runner-ssh-"};
  std::vector<SshAddress> hosts_;
  std::string user_, identity_, agent_, known_hosts_, jump_;
  std::chrono::milliseconds connect_;
};

}  // namespace runner::deployments
