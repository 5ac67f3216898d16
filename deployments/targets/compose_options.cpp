#include "deployments/targets/compose_options.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnix = "unix://";
constexpr std::size_t kLongestProject = 48, kDigest = 8;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string compose_project(const std::string& project, const std::string& environment) {
  const std::string whole = project + "-" + environment;
  std::string name;
  for (const char c : to_lower(whole)) {
    const bool plain = is_letter_or_digit(c) || c == '_' || c == '-';
    if (plain && (!name.empty() || is_letter_or_digit(c)))
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  if (name == whole && name.size() <= kLongestProject) return name;
  name = name.substr(0, kLongestProject);
  while (!name.empty() && !is_letter_or_digit(name.back())) name.pop_back();
  return (name.empty() ? "runner" : name) + "-" + sha256_hex(project + "\n" + environment).substr(0, kDigest);
}

fs::path compose_socket(const std::string& host, const std::map<std::string, std::string>& environment) {
  const auto variable = environment.find("DOCKER_HOST");
  const std::string named = !host.empty()                   ? host
                            : variable != environment.end() ? variable->second
                                                            : std::string();
  if (!named.empty()) {
    if (named.starts_with(std::string(kUnix) + "/")) return named.substr(kUnix.size());
    throw Error(
        ErrorCode::invalid_input,
        (host.empty() ? "$DOCKER_HOST" : "deploy:compose:host") + std::string(": ") + in_quotes(named) +
            " is no socket of this machine; write unix:///PATH, and run the job on the machine of the "
            "engine, or forward its socket by ssh -L");
  }
  std::error_code error;
  for (const char* path : {"/var/run/docker.sock", "/run/podman/podman.sock"})
    if (fs::is_socket(path, error)) return path;
  throw Error(ErrorCode::unavailable,
              "there is no container engine: neither /var/run/docker.sock nor /run/podman/podman.sock is "
              "there; install docker.io or podman, or name its socket by deploy:compose:host");
}

void check_compose_options(const ComposeOptions& options) {
  const auto good = [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  const std::string& service = options.service;
  if (service.empty() || !is_letter_or_digit(service[0]) ||
      !std::all_of(service.begin(), service.end(), good))
    throw Error(ErrorCode::invalid_input, "deploy:compose:service: " + in_quotes(service) +
                                              " is no name of a service; write letters, digits, '.', '_' "
                                              "and '-'");
  if (!options.replicas.empty() && !options.ports.empty())
    throw Error(ErrorCode::invalid_input, "deploy:compose:ports: a service has either replicas or places");
  for (const std::string* name : {&options.image_variable, &options.port_variable})
    if (name->empty() || name->find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      throw Error(ErrorCode::invalid_input, "deploy:compose: no variable can be named " + in_quotes(*name));
}

}  // namespace runner::deployments
