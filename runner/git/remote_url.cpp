#include "runner/git/remote_url.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::git {
namespace {

/// Behind "scheme://", or npos when there is no scheme.
std::size_t after_scheme(std::string_view url) {
  const std::size_t at = url.find("://");
  return at == std::string_view::npos || at == 0 ? std::string_view::npos : at + 3;
}

/// The colon of "host:path" as ssh understands it: before any slash.
std::size_t scp_colon(std::string_view url) {
  const std::size_t colon = url.find(':');
  return colon < url.find('/') ? colon : std::string_view::npos;
}

std::string_view without_ends(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with("/.git")) path.remove_suffix(5);  // a working tree as the remote
  if (path.ends_with(".git") && path.size() > 4) path.remove_suffix(4);
  while (path.ends_with('/')) path.remove_suffix(1);
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

[[noreturn]] void refuse(std::string_view url, std::string_view why) {
  throw Error(ErrorCode::invalid_input, in_quotes(to_utf8(mask_urls(without_credentials(url)))) +
                                            " is no address of a repository: " + std::string(why));
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%' && i + 2 < text.size();
    if (escaped && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::uint16_t port_of(Scheme scheme) {
  return scheme == Scheme::http ? 80 : scheme == Scheme::https ? 443 : scheme == Scheme::ssh ? 22 : 0;
}

/// "user:password@host:port" into its parts.
void read_authority(RemoteUrl& parsed, std::string_view url, std::string_view authority) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = authority.substr(0, at);
    const std::size_t colon = std::min(who.find(':'), who.size());
    parsed.user = percent_decoded(who.substr(0, colon));
    if (colon < who.size()) parsed.password = percent_decoded(who.substr(colon + 1));
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) refuse(url, "']' is missing behind the host");
    port = authority.substr(end + 1);
    parsed.host = to_lower(authority.substr(1, end - 1));
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    port = authority.substr(colon);
    parsed.host = to_lower(authority.substr(0, colon));
  }
  if (parsed.host.empty() || parsed.host.front() == '-') refuse(url, "there is no host in it");
  parsed.port = port_of(parsed.scheme);
  if (port.empty() || port == ":") return;
  const auto number = parse_integer(port.substr(1));
  if (port.front() != ':' || !number || *number < 1 || *number > 65535)
    refuse(url, "the port is no number from 1 to 65535");
  parsed.port = static_cast<std::uint16_t>(*number);
}

std::string_view last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

std::string without_credentials(std::string_view url) {
  const std::size_t begin = after_scheme(url);
  if (begin == std::string_view::npos) return std::string(url);
  const std::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  const std::string_view scheme = url.substr(0, begin);
  std::string shown(scheme);
  if (!scheme.starts_with("http")) {
    const std::string_view user = authority.substr(0, at);
    shown.append(user.substr(0, user.find(':'))).append("@");
  }
  return shown.append(url.substr(begin + at + 1));
}

std::string mask_urls(std::string_view text) {
  constexpr std::string_view kEnds = " \t\r\n'\"<>/?#";
  std::string masked;
  for (;;) {
    const std::size_t begin = text.find("://");
    if (begin == std::string_view::npos) return masked.append(text);
    masked.append(text.substr(0, begin + 3));
    text.remove_prefix(begin + 3);
    const std::string_view authority = text.substr(0, text.find_first_of(kEnds));
    const std::size_t at = authority.rfind('@');
    if (at == std::string_view::npos) continue;
    masked.append("***");
    text.remove_prefix(at);
  }
}

std::string RemoteUrl::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == port_of(scheme) ? name : name + ":" + std::to_string(port);
}

RemoteUrl parse_remote_url(std::string_view url) {
  if (url.empty() || url.starts_with('-'))
    refuse(url, "name a path, or file://, http://, https:// or ssh://");
  if (std::any_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    refuse(url, "there are control characters in it");
  RemoteUrl parsed;
  parsed.shown = without_credentials(url);
  const std::size_t begin = after_scheme(url);
  if (begin == std::string_view::npos) {
    const std::size_t colon = scp_colon(url);
    if (colon == std::string_view::npos || colon == 0) {
      parsed.path = std::string(url);
      return parsed;
    }
    parsed.scheme = Scheme::ssh;
    read_authority(parsed, url, url.substr(0, colon));
    parsed.path = std::string(url.substr(colon + 1));
    if (parsed.path.starts_with(':')) refuse(url, "programs that git would call for it are never called");
  } else {
    const std::string scheme = to_lower(url.substr(0, begin - 3));
    const std::string_view rest = url.substr(begin);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    if (scheme == "file") {
      if (slash != 0 && rest.substr(0, slash) != "localhost") refuse(url, "file:// takes no host");
      parsed.path = percent_decoded(rest.substr(slash));
      return parsed;
    }
    if (scheme == "http" || scheme == "https") {
      parsed.scheme = scheme == "http" ? Scheme::http : Scheme::https;
    } else if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git") {
      parsed.scheme = Scheme::ssh;
    } else {
      refuse(url, in_quotes(scheme) + " is not among file, http, https and ssh");
    }
    read_authority(parsed, url, rest.substr(0, std::min(slash, rest.find_first_of("?#"))));
    parsed.path = std::string(rest.substr(slash, rest.find('#', slash) - slash));
    if (parsed.scheme == Scheme::ssh) {
      parsed.path = percent_decoded(parsed.path);
      if (parsed.path.starts_with("/~")) parsed.path.erase(0, 1);
    }
  }
  if (parsed.path.empty() || parsed.path.front() == '-') refuse(url, "there is no path in it");
  return parsed;
}

std::string project_path_of(std::string_view url) {
  const std::size_t begin = after_scheme(url);
  if (begin != std::string_view::npos) {
    const bool is_file = url.starts_with("file://");
    const std::string_view rest = url.substr(begin);
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    const std::string_view path = without_ends(rest.substr(slash, rest.find_first_of("?#", slash) - slash));
    return std::string(is_file ? last_part(path) : path);
  }
  if (const std::size_t colon = scp_colon(url); colon != std::string_view::npos) {
    return std::string(without_ends(url.substr(colon + 1)));
  }
  return std::string(last_part(without_ends(url)));
}

}  // namespace runner::git
