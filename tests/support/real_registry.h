#pragma once
// A registry of images: the program docker-registry on a port of its own, with a directory of its own. It
// ends with this object, or with the test.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner::test {

struct RealRegistryOptions {
  bool tls = false;            // with a certificate of an authority made for it, for "localhost" only
  std::string user, password;  // both empty: everybody may do everything
};

class RealRegistry {
 public:
  /// Returns when it listens. Throws Error that says what to install.
  explicit RealRegistry(const RealRegistryOptions& options = {});
  ~RealRegistry();
  RealRegistry(const RealRegistry&) = delete;
  RealRegistry& operator=(const RealRegistry&) = delete;

  /// As in names of images: "localhost:PORT".
  std::string host() const { return "localhost:" + std::to_string(port_); }
  std::uint16_t port() const noexcept { return port_; }
  /// PEM of the authority; empty without TLS.
  std::filesystem::path authorities() const;
  /// Where it keeps what it has.
  std::filesystem::path data() const { return directory_.path() / "data"; }

 private:
  void make_certificates() const;
  void make_users(const RealRegistryOptions& options) const;
  void start();

  TempDir directory_{"registry-"};
  bool has_tls_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  UniqueFd input_;      // closed: it ends
  std::thread reader_;  // of what it says
};

}  // namespace runner::test
