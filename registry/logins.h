#pragma once
// Who we are to registries: the files of Docker and Podman, and the variables of a job. Sources: Docker's
// documentation of config.json and of credential helpers, containers-auth.json(5), the Docker Engine API
// ("Authentication"). What is secret is in no text of an error or a remark.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "registry/reference.h"

namespace runner::registry {

struct Login {
  std::string username, password;
  std::string identity_token;  // in place of a password: an OAuth2 refresh token
  bool operator==(const Login&) const = default;
};

enum class LoginTrust : std::uint8_t {
  job,    // from a job's variable: it names no programs that we would run
  owner,  // a file of the administrator's or the user's own: its helpers are run
};

/// One source as it was read.
struct LoginFile {
  std::string place;  // what it is called in messages: "DOCKER_AUTH_CONFIG", a path
  LoginTrust trust = LoginTrust::job;
  std::map<std::string, Login> logins;         // by "host" or "host/path", of the hub "docker.io"
  std::map<std::string, std::string> helpers;  // host to NAME of docker-credential-NAME
  std::string store;                           // NAME for all others; "" none
};

/// Reads {"auths": {KEY: {"auth" | "username" and "password", "identitytoken"}}, "credHelpers",
/// "credsStore"}. Keys with a scheme, as Docker writes them, stand for their host; those without one keep
/// their path, as Podman does. Pure. Throws Error{invalid_input} with `place` and the key, never with a
/// value.
LoginFile parse_logins(std::string_view json, std::string place, LoginTrust trust);
/// The same of a file; nullopt when there is none. Throws Error.
std::optional<LoginFile> read_logins(const std::filesystem::path& file, LoginTrust trust);
/// One host: CI_REGISTRY with CI_REGISTRY_USER and CI_REGISTRY_PASSWORD, say.
LoginFile single_login(std::string_view host, Login login, std::string place);

/// Sources in order of precedence: the first that knows an image decides. Filled by one thread, then any.
class Logins {
 public:
  void add(LoginFile file) { files_.push_back(std::move(file)); }

  /// In a source: the helper named for the host, then the longest key that the image lies below, then its
  /// store. nullopt: nobody is known there. Runs helpers, with their directory taken from PATH: blocks until
  /// `helper_time` or `stop`. Throws Error: unavailable, timeout, cancelled for a helper that fails.
  std::optional<Login> find(const Reference& image, const std::stop_token& stop = {}) const;
  /// Helpers and stores that are not run, as their source is a job's. For people.
  std::vector<std::string> remarks() const;

  std::chrono::milliseconds helper_time{10'000};

 private:
  std::vector<LoginFile> files_;
};

/// The value of X-Registry-Auth with which an engine (Docker, Podman) is asked to pull or push an image of
/// this host; nobody: that of nobody. Pure.
std::string registry_auth_header(const std::optional<Login>& login, std::string_view host);

}  // namespace runner::registry
