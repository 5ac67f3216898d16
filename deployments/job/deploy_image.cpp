#include "deployments/job/deploy_image.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "deployments/targets/compose_engine.h"
#include "deployments/targets/compose_options.h"
#include "registry/registry_client.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

const std::string& value_of(const std::map<std::string, std::string>& variables, const char* name) {
  static const std::string none;
  const auto found = variables.find(name);
  return found == variables.end() ? none : found->second;
}

/// As it was written, without tag and digest.
std::string repository_of(const std::string& image, const registry::Reference& reference) {
  std::string name = image.substr(0, image.find('@'));
  if (!reference.tag.empty()) name.resize(name.size() - reference.tag.size() - 1);
  return name;
}

/// nullopt, and `why`: the registry does not know it.
std::optional<std::string> ask_registry(const registry::Reference& image, const registry::Logins& logins,
                                        std::string& why, const std::stop_token& stop) {
  registry::ClientOptions options;
  // An engine that has the image can do without the registry: no patience for one that is not there.
  options.retries.attempts = 2;
  options.waits.connect = std::chrono::milliseconds(10'000);
  registry::RegistryClient client(logins, options);
  try {
    if (const auto found = client.find_manifest(image, stop)) return found->digest;
    why = "its registry does not have it";
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    why = error.what();
  }
  return std::nullopt;
}

/// The digest that the engine knows for this repository; "" for none.
std::string ask_engine(const std::string& image, const registry::Reference& reference,
                       const ImagePlace& place, std::string& why, const std::stop_token& stop) {
  try {
    ComposeEngine engine(compose_socket(place.engine, place.environment));
    const auto digests = engine.digests_of(image, stop);
    if (!digests) {
      why += "; the engine does not have it";
      return {};
    }
    for (const std::string& one : *digests) {
      const registry::Reference known = registry::parse_reference(one);
      if (known.repository() == reference.repository()) return known.digest;
    }
    why += "; the engine has it, but not from a registry";
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    why += std::string("; ") + error.what();
  }
  return {};
}

}  // namespace

registry::Logins registry_logins(const std::map<std::string, std::string>& variables) {
  registry::Logins logins;
  if (const std::string& json = value_of(variables, "DOCKER_AUTH_CONFIG"); !trim(json).empty())
    logins.add(registry::parse_logins(json, "DOCKER_AUTH_CONFIG", registry::LoginTrust::job));
  const std::string& host = value_of(variables, "CI_REGISTRY");
  registry::Login login;
  login.username = value_of(variables, "CI_REGISTRY_USER");
  login.password = value_of(variables, "CI_REGISTRY_PASSWORD");
  if (!host.empty() && !login.username.empty() && !login.password.empty())
    logins.add(registry::single_login(host, std::move(login), "CI_REGISTRY"));
  return logins;
}

std::string pinned_image(const std::string& image, const ImagePlace& place, const TellLine& tell,
                         const std::stop_token& stop) {
  registry::Reference reference;
  try {
    reference = registry::parse_reference(image);
  } catch (Error& error) {
    error.add_context("deploy:release:image");
    throw;
  }
  const std::string repository = repository_of(image, reference);
  if (!reference.digest.empty()) return repository + "@" + reference.digest;
  const registry::Logins logins = registry_logins(place.variables);
  std::string why;
  if (const auto digest = ask_registry(reference, logins, why, stop)) return repository + "@" + *digest;
  const std::string digest = ask_engine(image, reference, place, why, stop);
  if (digest.empty())
    throw Error(ErrorCode::invalid_input,
                "deploy:release:image: nobody knows a digest of " + in_quotes(image) + ": " + why +
                    "; push it to a registry and write its name there, or NAME@sha256:...");
  tell("",
       "WARNING: the digest of " + image + " is what the engine has, as its registry was not asked: " + why);
  return repository + "@" + digest;
}

std::string image_of_plan(const std::string& plan) {
  const nlohmann::json json = nlohmann::json::parse(plan, nullptr, false);
  if (!json.is_object()) return {};
  const auto image = json.find("image");
  return image != json.end() && image->is_string() ? image->get<std::string>() : std::string();
}

}  // namespace runner::deployments
