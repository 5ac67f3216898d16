#include "runner/engine/job_containers.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "registry/logins.h"
#include "registry/reference.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

using executors::ContainerImage;
using executors::ContainerService;
using executors::PullPolicy;
using pipelines::ImageSpec;

PullPolicy policy_of(std::string_view text) {
  if (text == "always") return PullPolicy::always;
  if (text == "if-not-present") return PullPolicy::if_not_present;
  if (text == "never") return PullPolicy::never;
  throw Error(ErrorCode::invalid_input,
              "pull_policy should be always, if-not-present or never, not " + in_quotes(std::string(text)));
}

/// Those of the job that the runner allows, in the job's order.
std::vector<PullPolicy> policies_of(const ImageSpec& image, const ContainerSettings& settings) {
  if (image.pull_policy.empty()) return {policy_of(settings.pull_policy)};
  std::vector<PullPolicy> chosen;
  for (const std::string& text : image.pull_policy) {
    const PullPolicy policy = policy_of(text);
    const auto& allowed = settings.allowed_pull_policies;
    if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) chosen.push_back(policy);
  }
  if (chosen.empty())
    throw Error(ErrorCode::invalid_input,
                "pull_policy " + join(image.pull_policy, ", ") +
                    " is not allowed here; allowed: " + join(settings.allowed_pull_policies, ", "));
  return chosen;
}

ContainerImage image_of(const ImageSpec& spec, const std::string& name, const JobEnvironment& environment,
                        const ContainerSettings& settings) {
  ContainerImage image;
  image.name = name;
  image.entrypoint = spec.entrypoint;
  image.pull = policies_of(spec, settings);
  image.platform = environment.expand(spec.platform);
  image.user = environment.expand(spec.user);
  return image;
}

/// The names of one alias entry: several stand in it, with commas or blanks between them.
std::vector<std::string> words_of(std::string text) {
  for (char& c : text) {
    if (c == ',' || c == '\t' || c == '\n') c = ' ';
  }
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

/// The hosts of one service that no earlier one has; `taken` grows.
std::vector<std::string> hosts_of(const pipelines::ServiceSpec& service, const std::string& name,
                                  const JobEnvironment& environment, std::set<std::string>& taken,
                                  std::vector<std::string>& notices) {
  std::vector<std::string> wanted = registry::service_hosts(name);
  for (const std::string& alias : service.aliases) {
    for (std::string& word : words_of(environment.expand(alias))) wanted.push_back(std::move(word));
  }
  std::vector<std::string> hosts;
  for (std::string& host : wanted) {
    if (std::find(hosts.begin(), hosts.end(), host) != hosts.end()) continue;
    if (taken.insert(host).second) {
      hosts.push_back(std::move(host));
    } else {
      notices.push_back("service '" + name + "' is not reached as '" + host + "': an earlier service is");
    }
  }
  return hosts;
}

/// In order of precedence: what the job brings, then what whoever runs us has.
registry::Logins known_logins(const JobEnvironment& environment, const ContainerSettings& settings) {
  registry::Logins logins;
  if (const std::string_view json = environment.value("DOCKER_AUTH_CONFIG"); !trim(json).empty())
    logins.add(registry::parse_logins(json, "DOCKER_AUTH_CONFIG", registry::LoginTrust::job));
  const std::string_view host = environment.value("CI_REGISTRY");
  const std::string_view user = environment.value("CI_REGISTRY_USER");
  const std::string_view password = environment.value("CI_REGISTRY_PASSWORD");
  if (!host.empty() && !user.empty() && !password.empty()) {
    registry::Login login;
    login.username = user;
    login.password = password;
    logins.add(registry::single_login(host, std::move(login), "CI_REGISTRY"));
  }
  for (const auto& file : settings.login_files) {
    if (auto read = registry::read_logins(file, registry::LoginTrust::owner)) logins.add(std::move(*read));
  }
  return logins;
}

void add_login(executors::ContainerSpec& spec, const registry::Logins& logins, const std::string& image,
               const std::stop_token& stop) {
  const registry::Reference reference = registry::parse_reference(image);
  const auto login = logins.find(reference, stop);
  if (login) {
    spec.logins.push_back({reference.repository(), login->username, login->password, login->identity_token});
  }
}

}  // namespace

bool wants_container(const pipelines::PlanJob& job, const ContainerSettings& settings) {
  return !settings.socket.empty() && !settings.shell_only && !job.image_build && job.deploy.empty() &&
         (job.image || !settings.default_image.empty());
}

bool gets_engine_socket(const ContainerSettings& settings, const std::string& project) {
  const auto& projects = settings.engine_socket_projects;
  return settings.engine_socket &&
         (projects.empty() || std::find(projects.begin(), projects.end(), project) != projects.end());
}

executors::ContainerSpec container_spec(const pipelines::PlanJob& job, JobEnvironment& environment,
                                        const ContainerSettings& settings, const std::stop_token& stop,
                                        std::vector<std::string>& notices) {
  executors::ContainerSpec spec;
  ImageSpec image;
  if (job.image) image = *job.image;
  const std::string name(trim(job.image ? environment.expand(image.name) : settings.default_image));
  if (name.empty())
    throw Error(ErrorCode::invalid_input,
                "no image given: '" + image.name + "' is empty once its variables are filled in");
  spec.image = image_of(image, name, environment, settings);
  const registry::Logins logins = known_logins(environment, settings);
  for (std::string& remark : logins.remarks()) notices.push_back(std::move(remark));
  add_login(spec, logins, name, stop);
  std::set<std::string> taken;
  for (const pipelines::ServiceSpec& service : job.services) {
    const std::string service_name(trim(environment.expand(service.image.name)));
    if (service_name.empty()) {
      notices.push_back("a service without a name is left out: '" + service.image.name + "'");
      continue;
    }
    ContainerService made;
    made.aliases = hosts_of(service, service_name, environment, taken, notices);
    if (made.aliases.empty()) {
      notices.push_back("service '" + service_name + "' is not started: nothing could reach it");
      continue;
    }
    made.image = image_of(service.image, service_name, environment, settings);
    if (!service.command.empty()) {
      made.command.emplace();
      for (const std::string& word : service.command) made.command->push_back(environment.expand(word));
    }
    made.env = environment.for_service(service.variables);
    add_login(spec, logins, service_name, stop);
    spec.services.push_back(std::move(made));
  }
  spec.service_wait = settings.service_wait;
  spec.service_logs = environment.flag("CI_DEBUG_SERVICES", false);
  spec.env = environment.process();
  spec.shm_bytes = settings.shm_bytes;
  spec.privileged = settings.privileged;
  return spec;
}

void make_shared_directory(const std::filesystem::path& directory) {
  make_directories(directory, 0777);
  // Whatever the mask of this process is.
  if (::chmod(directory.c_str(), 0777) != 0) throw_errno("cannot open up " + in_quotes(directory.native()));
}

}  // namespace runner::engine
