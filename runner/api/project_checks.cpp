#include "runner/api/project_checks.h"

#include <algorithm>

#include "runner/base/text.h"
#include "runner/git/remote_url.h"

namespace runner::api {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string url_problem(const std::string& url) {
  if (url.empty()) return "may not be empty";
  if (has_control(url) || url.find(' ') != std::string::npos) return "may not have blanks or line breaks";
  if (url.starts_with('-')) return "may not begin with '-'";
  if (git::without_credentials(url) != url)
    return "holds a user or a password; leave them out and give 'username' and 'token'";
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) {
    const bool scp = url.find(':') < url.find('/') && url.find(':') != 0;
    return scp || url.starts_with('/')
               ? ""
               : "must be https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or /PATH";
  }
  const std::string name = url.substr(0, scheme);
  const bool known = name == "https" || name == "http" || name == "ssh" || name == "file";
  return known ? "" : "has the scheme " + in_quotes(name) + "; there are https, http, ssh and file";
}

std::string file_problem(const std::string& path) {
  if (path.empty()) return "may not be empty";
  if (has_control(path)) return "may not have control characters";
  if (path.starts_with('/')) return "must be a path inside of the repository, without '/' at its beginning";
  const auto parts = split(std::string_view(path), '/');
  const bool odd = std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
  return odd ? "may not have '.', '..' or nothing between slashes" : "";
}

std::string key_problem(std::string_view key) {
  if (trim(key).starts_with("-----BEGIN ")) return "";
  return "must be the text of a private key, which begins with '-----BEGIN'; not a path, not a public key";
}

}  // namespace runner::api
