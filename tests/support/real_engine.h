#pragma once
// A real Docker or Podman of the test's own: in network, mount and PID namespaces of its own, with all its
// files in a temporary directory. It ends with this object, and with the test when that is killed.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runner/base/files.h"
#include "tests/support/child_program.h"

namespace runner::test {

class RealEngine {
 public:
  /// "docker" or "podman". Takes a second or two. Throws Error.
  explicit RealEngine(std::string kind);

  /// Why there can be none here: no root, or a program is not installed. "" = there can.
  static std::string missing(const std::string& kind);
  /// One for the whole test program, started when it is first asked for.
  static RealEngine& shared(const std::string& kind);
  /// Ends those. Call it before the program ends.
  static void end_shared();

  std::filesystem::path socket() const { return dir_.path() / "socket"; }
  /// Loads an image of busybox, once for each name. `config`: JSON, as in busybox_image.py; `sources`:
  /// "PATH=FILE".
  void load(const std::string& name, const std::string& config = "{}",
            const std::vector<std::string>& sources = {});
  /// All images and layers that no container uses are gone; load() loads them again.
  void forget_images();
  /// A file with that image.
  std::filesystem::path image_file(const std::string& name, const std::string& config,
                                   const std::vector<std::string>& sources) const;
  /// A registry that only this engine reaches, without TLS: "127.0.0.1:PORT". With `user` it wants a login.
  std::string start_registry(const std::string& user = "", const std::string& password = "");
  /// A registry with TLS that only this engine trusts and reaches, and who is in its network.
  struct TlsRegistry {
    std::string host;  // "localhost:PORT"
    std::filesystem::path
        directory;  // `ca.pem` is its authority, `data` what it has, `log` what it was asked
  };
  TlsRegistry start_tls_registry(const std::string& user, const std::string& password);
  /// Words before a command that give it the engine's network.
  std::vector<std::string> in_network() const;
  /// The registry at this address answers nothing until it is let go of.
  void hold_registry(const std::string& address);
  void release_registry(const std::string& address);
  /// "127.0.0.1:PORT" where connections are taken and nothing is ever said.
  std::string start_silence();
  /// SIGKILL to the engine and to nothing that it started.
  void kill();
  /// After kill().
  void start();

 private:
  const std::string kind_;
  TempDir dir_;
  std::vector<std::string> loaded_;
  std::unique_ptr<ChildProgram> program_;
};

}  // namespace runner::test
