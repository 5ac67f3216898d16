#include "runner/git/remote_url.h"

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
