#include "runner/engine/image_build.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "pipelines/variables.h"
#include "registry/reference.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

namespace fs = std::filesystem;

using pipelines::ImageBuildSpec;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_input, "build_image: " + what);
}

/// In full, with a tag. `what`: the key it comes from.
registry::Reference image_of(const std::string& text, const std::string& what) {
  registry::Reference reference = registry::parse_reference(text);
  if (!reference.digest.empty())
    refuse(what + ": '" + text + "' has a digest, which only the build can tell; leave it out");
  reference.tag = reference.wanted_tag();
  return reference;
}

std::vector<std::string> words_of(const JobEnvironment& environment, const std::vector<std::string>& texts,
                                  const std::string& what) {
  std::vector<std::string> words;
  for (const std::string& text : texts) {
    std::string word(trim(environment.expand(text)));
    if (word.empty()) refuse(what + ": '" + text + "' is empty once its variables are filled in");
    words.push_back(std::move(word));
  }
  return words;
}

/// What a branch or tag is called as the tag of an image: tags of git as they are, where images may be called
/// so.
std::string ref_tag(const JobEnvironment& environment) {
  if (std::string tag(environment.value("CI_COMMIT_TAG")); !tag.empty()) {
    try {
      registry::check_tag(tag);
      return tag;
    } catch (const Error&) {
      // Of another form: the slug, then.
    }
  }
  return std::string(environment.value("CI_COMMIT_REF_SLUG"));
}

/// Where images of this project lie when the job does not say: in its registry, else on this machine.
std::string default_repository(const JobEnvironment& environment) {
  if (const std::string_view image = trim(environment.value("CI_REGISTRY_IMAGE")); !image.empty())
    return std::string(image);
  std::string name = "localhost";
  for (const std::string_view part : split(environment.value("CI_PROJECT_PATH"), '/')) {
    if (const std::string slug = pipelines::slug63(part); !slug.empty()) name += "/" + slug;
  }
  return name == "localhost" ? name + "/project" : name;
}

std::vector<std::string> default_tags(const JobEnvironment& environment, const std::string& repository) {
  std::vector<std::string> tags;
  const auto add = [&](std::string_view tag) {
    if (!tag.empty()) tags.push_back(repository + ":" + std::string(tag));
  };
  add(ref_tag(environment));
  add(environment.value("CI_COMMIT_SHORT_SHA"));
  const std::string_view branch = environment.value("CI_COMMIT_BRANCH");
  if (tags.empty() || (!branch.empty() && branch == environment.value("CI_DEFAULT_BRANCH"))) add("latest");
  return tags;
}

/// Its first part is a registry, and none that stands for this machine.
bool names_registry(const std::string& written) {
  const std::string_view first = std::string_view(written).substr(0, written.find('/'));
  return first.size() < written.size() && first != "localhost" &&
         first.find_first_of(".:ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string_view::npos;
}

void choose_tags(const ImageBuildSpec& spec, const JobEnvironment& environment,
                 builds::BuildRequest& request) {
  std::vector<std::string> written = words_of(environment, spec.tags, "tags");
  if (written.empty()) written = default_tags(environment, default_repository(environment));
  for (const std::string& text : written) {
    std::string full = image_of(text, "tags").text();
    if (std::find(request.tags.begin(), request.tags.end(), full) == request.tags.end())
      request.tags.push_back(std::move(full));
  }
  const bool known = std::all_of(written.begin(), written.end(), names_registry);
  request.push = spec.push.value_or(known);
  if (!request.push || spec.push == std::nullopt) return;
  for (const std::string& text : written) {
    if (!names_registry(text) && text.starts_with("localhost/"))
      refuse("push: '" + text +
             "' names no registry; set CI_REGISTRY_IMAGE, or `tags` with a registry in them");
  }
}

void choose_cache(const ImageBuildSpec& spec, const JobEnvironment& environment,
                  builds::BuildRequest& request) {
  request.cache.enabled = spec.cache;
  if (!spec.cache) return;
  std::vector<std::string>& from = request.cache.from;
  const auto add = [&](const registry::Reference& reference) {
    std::string full = reference.text();
    if (std::find(from.begin(), from.end(), full) == from.end()) from.push_back(std::move(full));
  };
  for (const std::string& text : words_of(environment, spec.cache_from, "cache:from"))
    add(image_of(text, "cache:from"));
  registry::Reference own = registry::parse_reference(request.tags.front());
  add(own);
  for (const std::string& tag : {ref_tag(environment), std::string(environment.value("CI_DEFAULT_BRANCH"))}) {
    own.tag = pipelines::slug63(tag);
    if (!own.tag.empty()) add(own);
  }
  if (const std::string to(trim(environment.expand(spec.cache_to))); !to.empty())
    request.cache.to = registry::parse_reference(to).repository();
}

/// "2024-01-31T16:47:55+01:00"; 0 for what is none.
std::int64_t seconds_of(const std::string& timestamp) {
  std::tm parts{};
  const char* end = ::strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S%z", &parts);
  if (end == nullptr || *end != '\0') return 0;
  const long offset = parts.tm_gmtoff;
  return static_cast<std::int64_t>(::timegm(&parts)) - offset;
}

/// Of registries with a private authority, where both engines look for it: HOST/ca.crt, or another .crt.
std::map<std::string, fs::path> known_authorities() {
  std::map<std::string, fs::path> found;
  for (const char* place : {"/etc/docker/certs.d", "/etc/containers/certs.d"}) {
    std::error_code none;
    for (const fs::directory_entry& host : fs::directory_iterator(place, none)) {
      std::vector<fs::path> files;
      for (const fs::directory_entry& file : fs::directory_iterator(host.path(), none)) {
        if (file.path().extension() == ".crt") files.push_back(file.path());
      }
      std::sort(files.begin(), files.end());
      if (!files.empty()) found.try_emplace(host.path().filename().native(), files.front());
    }
  }
  return found;
}

/// As both engines have it, one on this machine needs no certificate.
bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("localhost:") || host.starts_with("127.") ||
         host == "[::1]" || host.starts_with("[::1]:");
}

}  // namespace

std::vector<std::string> login_texts(const JobEnvironment& environment) {
  std::vector<std::string> texts;
  if (const std::string_view own = trim(environment.value("DOCKER_AUTH_CONFIG")); !own.empty())
    texts.emplace_back(own);
  const std::string host(environment.value("CI_REGISTRY"));
  const std::string user(environment.value("CI_REGISTRY_USER"));
  const std::string password(environment.value("CI_REGISTRY_PASSWORD"));
  if (!host.empty() && !user.empty() && !password.empty()) {
    const nlohmann::json auth{{"auth", to_base64(user + ":" + password)}};
    texts.push_back(nlohmann::json{{"auths", {{host, auth}}}}.dump(-1, ' ', true,
                                                                   nlohmann::json::error_handler_t::replace));
  }
  return texts;
}

builds::BuildRequest build_request(const ImageBuildSpec& spec, const JobEnvironment& environment,
                                   const pipelines::PipelineFacts& facts, const ContainerSettings& settings) {
  builds::BuildRequest request;
  request.context = environment.expand(spec.context);
  if (request.context.empty())
    refuse("context: '" + spec.context + "' is empty once its variables are filled in");
  request.dockerfile = environment.expand(spec.dockerfile);
  request.target = environment.expand(spec.target);
  for (const pipelines::Variable& arg : spec.args)
    request.args[arg.name] = arg.raw ? arg.value : environment.expand(arg.value);
  for (const auto& [id, name] : spec.secrets) {
    auto content = environment.content(name);
    if (!content) refuse("secrets: '" + id + "' is to be the variable " + name + ", which is not set");
    request.secrets[id] = std::move(*content);
  }
  request.platforms = words_of(environment, spec.platforms, "platforms");
  choose_tags(spec, environment, request);
  choose_cache(spec, environment, request);
  if (facts.sha.find_first_not_of('0') != std::string::npos) request.revision = facts.sha;
  request.source = facts.project_url;
  request.version = facts.ref_name;
  request.created = seconds_of(facts.commit_timestamp);
  request.socket = settings.socket;
  request.auth_configs = login_texts(environment);
  request.auth_files = settings.login_files;
  request.authorities = known_authorities();
  request.insecure = settings.insecure_registries;
  request.memory = settings.images;
  for (const std::string& tag : request.tags) {
    const std::string host = registry::parse_reference(tag).host;
    if (is_loopback(host) &&
        std::find(request.insecure.begin(), request.insecure.end(), host) == request.insecure.end())
      request.insecure.push_back(host);
  }
  return request;
}

}  // namespace runner::engine
