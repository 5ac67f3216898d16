#include "runner/forge/forge.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/remote_url.h"

namespace runner::forge {
namespace {

constexpr auto kKinds = {ForgeKind::none, ForgeKind::github, ForgeKind::gitlab, ForgeKind::gitea};
constexpr std::string_view kGithub = "github.com", kGithubApi = "https://api.github.com";

bool is_host(std::string_view host, std::string_view known) {
  return host == known || (host.starts_with("ssh.") && host.substr(4) == known);
}

ForgeKind guess(std::string_view host) {
  if (is_host(host, kGithub)) return ForgeKind::github;
  if (is_host(host, "gitlab.com") || host == "altssh.gitlab.com") return ForgeKind::gitlab;
  return is_host(host, "codeberg.org") ? ForgeKind::gitea : ForgeKind::none;
}

/// Of the web server at the repository's host.
std::string base_of(const git::RemoteUrl& url) {
  if (url.scheme == git::Scheme::http) return "http://" + url.authority();
  if (url.scheme == git::Scheme::https) return "https://" + url.authority();
  // The port is that of ssh and says nothing of the web server's.
  return "https://" + (url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]");
}

std::string api_of(ForgeKind kind, const git::RemoteUrl& url) {
  switch (kind) {
    case ForgeKind::github:
      return is_host(url.host, kGithub) ? std::string(kGithubApi) : base_of(url) + "/api/v3";
    case ForgeKind::gitlab:
      return (url.host == "altssh.gitlab.com" ? "https://gitlab.com" : base_of(url)) + "/api/v4";
    case ForgeKind::gitea:
      return base_of(url) + "/api/v1";
    case ForgeKind::none:
      break;
  }
  return {};
}

bool same_host(const std::string& api, const git::RemoteUrl& url) {
  if (url.scheme == git::Scheme::local) return false;
  if (api == kGithubApi) return is_host(url.host, kGithub) && url.scheme != git::Scheme::http;
  const git::RemoteUrl other = git::parse_remote_url(api + "/");
  // A secret that went over TLS does not go without it.
  if (other.scheme == git::Scheme::http && url.scheme != git::Scheme::http) return false;
  return url.scheme == git::Scheme::ssh ? other.host == url.host : other.authority() == url.authority();
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

}  // namespace

std::string_view to_string(ForgeKind kind) noexcept {
  switch (kind) {
    case ForgeKind::none:
      break;
    case ForgeKind::github:
      return "github";
    case ForgeKind::gitlab:
      return "gitlab";
    case ForgeKind::gitea:
      return "gitea";
  }
  return "none";
}

std::optional<ForgeKind> parse_forge_kind(std::string_view text) noexcept {
  for (const ForgeKind kind : kKinds) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::string api_problem(const std::string& api) {
  if (!api.starts_with("https://") && !api.starts_with("http://"))
    return "must be the address of an API, such as https://git.example.com/api/v4";
  if (!is_plain(api) || api.find_first_of("?#") != std::string::npos)
    return "may not have blanks, '?' or '#'";
  if (git::without_credentials(api) != api)
    return "holds a user or a password; leave them out and give 'forge_token'";
  try {
    git::parse_remote_url(api + "/");  // it wants a path, and an API needs none
  } catch (const Error& error) {
    return std::string("cannot be read: ") + error.what();
  }
  return {};
}

std::string repository_problem(const std::string& repository) {
  const auto parts = split(std::string_view(repository), '/');
  const bool odd = std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
  if (parts.size() < 2 || odd || !is_plain(repository))
    return "must be the name of a repository with its owner, such as 'team/shop'";
  return {};
}

ForgePlace place_of(const storage::ProjectRecord& project) {
  ForgePlace place;
  const auto asked = parse_forge_kind(project.forge);
  if (asked == ForgeKind::none) return place;
  try {
    const git::RemoteUrl url = git::parse_remote_url(project.url);
    place.kind = asked.value_or(guess(url.host));
    if (place.kind == ForgeKind::none) return place;
    place.api = project.forge_api;
    while (place.api.ends_with('/')) place.api.pop_back();
    if (place.api.empty() && url.scheme != git::Scheme::local) place.api = api_of(place.kind, url);
    place.repository =
        project.forge_repository.empty() ? git::project_path_of(project.url) : project.forge_repository;
    if (place.api.empty()) {
      place = {};
      place.why = "the repository's address names no host; say where the forge's API is with '--forge-api'";
    } else if (const std::string odd = repository_problem(place.repository); !odd.empty()) {
      place = {};
      place.why =
          "the repository's address does not say whose it is; say it with '--forge-repository OWNER/NAME'";
    } else {
      place.same_host = same_host(place.api, url);
    }
  } catch (const Error& error) {
    place = {};
    place.why = error.what();
  }
  return place;
}

}  // namespace runner::forge
