#pragma once
// What deployments are tried on: hosts that are real sshds on loopback, each with a root of its own; a real
// HAProxy before the servers of a backend; an application that says its version. All end with their object.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/child_program.h"

namespace runner::test {

/// Path of deploy_hosts.py, which says what else it can start.
std::string deploy_program();

/// Ports on loopback that only programs which ask for SO_REUSEPORT get meanwhile.
class ReservedPorts {
 public:
  explicit ReservedPorts(unsigned count);
  std::uint16_t operator[](std::size_t i) const { return ports_.at(i); }

 private:
  ChildProgram holder_;
  std::vector<std::uint16_t> ports_;
};

struct HaproxyServer {
  std::string name;
  std::uint16_t port = 0;
  std::string options = "weight 100";
};

/// One frontend, one backend "shop".
class RealHaproxy {
 public:
  /// Why there can be none here; "" = there can.
  static std::string missing();
  /// Keeps its files in `directory`, which is made.
  RealHaproxy(const std::filesystem::path& directory, const std::vector<HaproxyServer>& servers,
              const std::string& level = "admin");

  std::uint16_t port() const noexcept { return port_; }
  std::string socket() const { return (directory_ / "admin").string(); }
  /// It is gone at once.
  void stop() const;

 private:
  std::filesystem::path directory_;
  std::optional<ChildProgram> program_;
  std::uint16_t port_ = 0;
};

/// Makes the files of the application deploy_app.py; `broken` as there.
void make_app(const std::filesystem::path& directory, const std::string& version,
              const std::string& broken = "");

/// A running application. It answers when the object is there.
class RunningApp {
 public:
  RunningApp(const std::filesystem::path& directory, std::uint16_t port);
  ~RunningApp();
  RunningApp(const RunningApp&) = delete;
  RunningApp& operator=(const RunningApp&) = delete;
  /// SIGKILL.
  void kill() const { program_.kill(); }

 private:
  ChildProgram program_;
};

/// A real sshd for the user of the test: keys "key" (let in) and "wrong".
class SshdHost {
 public:
  static std::string missing();
  /// Keeps its files in `directory`, which is made. `shell`: what `sh` is there, "dash", "bash" or "busybox",
  /// whose other commands are there as well then; "": as here.
  explicit SshdHost(const std::filesystem::path& directory, const std::string& shell = "");

  std::string port() const { return port_; }
  /// "USER@127.0.0.1:PORT".
  std::string address() const;
  /// Its line of a file of known hosts.
  std::string known() const;
  std::filesystem::path key(const std::string& name = "key") const { return directory_ / name; }
  std::filesystem::path root() const { return directory_ / "root"; }
  std::string log() const;

 private:
  std::filesystem::path directory_;
  std::optional<ChildProgram> program_;
  std::string port_;
};

}  // namespace runner::test
