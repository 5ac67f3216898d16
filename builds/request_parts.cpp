#include "builds/request_parts.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace runner::builds {

namespace fs = std::filesystem;
using registry::Reference;

registry::Logins logins_of(const BuildRequest& request) {
  registry::Logins logins;
  for (const std::string& text : request.auth_configs)
    logins.add(registry::parse_logins(text, "DOCKER_AUTH_CONFIG", registry::LoginTrust::job));
  for (const fs::path& file : request.auth_files)
    if (auto found = registry::read_logins(file, registry::LoginTrust::owner)) logins.add(std::move(*found));
  return logins;
}

registry::ClientOptions options_of(const BuildRequest& request) {
  registry::ClientOptions options;
  options.insecure = request.insecure;
  options.authorities = request.authorities;
  return options;
}

std::vector<Reference> tags_of(const BuildRequest& request) {
  std::vector<Reference> tags;
  for (const std::string& text : request.tags) {
    Reference tag = registry::parse_reference(text);
    tag.tag = tag.wanted_tag();
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

}  // namespace runner::builds
