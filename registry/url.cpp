#include "registry/url.h"

#include <algorithm>

#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kLongest = 16U << 10U;  // those of stores are long

/// Never with the query, which may be what gives access.
[[noreturn]] void refuse(std::string_view text, const char* why) {
  const std::string_view without_query = text.substr(0, std::min(text.find('?'), text.size()));
  const std::size_t at = without_query.rfind('@');
  throw Error(ErrorCode::unavailable,
              "the registry gives an address that " + std::string(why) + ": " +
                  shown(at == std::string_view::npos ? without_query : without_query.substr(at + 1), 100) +
                  "; look at its set-up");
}

void check_characters(std::string_view text) {
  if (text.size() > kLongest) refuse(text, "is too long");
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    refuse(text, "holds what none may");
}

std::string without_fragment(std::string_view text) {
  return std::string(text.substr(0, text.find('#')));
}

}  // namespace

Url parse_url(std::string_view text) {
  check_characters(text);
  const std::size_t colon = text.find("://");
  Url url;
  url.scheme = to_lower(text.substr(0, colon));
  if (colon == std::string_view::npos || (url.scheme != "http" && url.scheme != "https"))
    refuse(text, "is none of http or https");
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t end = rest.find_first_of("/?#");
  url.host = to_lower(rest.substr(0, end));
  if (url.host.find('@') != std::string::npos) refuse(text, "holds a user");
  if (url.host.empty() || url.host.front() == ':') refuse(text, "names no host");
  if (url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._:[]") != std::string::npos)
    refuse(text, "names no host");
  const std::string_view own_port = url.scheme == "https" ? ":443" : ":80";
  if (url.host.ends_with(own_port)) url.host.resize(url.host.size() - own_port.size());
  url.target = end == std::string_view::npos ? "" : without_fragment(rest.substr(end));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Url resolve_url(const Url& base, std::string_view location) {
  check_characters(location);
  if (location.empty()) refuse(location, "is empty");
  if (location.starts_with("//")) return parse_url(base.scheme + ':' + std::string(location));
  const std::size_t colon = location.find("://");
  if (colon != std::string_view::npos && colon < location.find_first_of("/?#")) return parse_url(location);
  Url url = base;
  const std::string path = base.target.substr(0, base.target.find('?'));
  if (location.starts_with('/')) {
    url.target = without_fragment(location);
  } else if (location.starts_with('?')) {
    url.target = path + without_fragment(location);
  } else {
    url.target = path.substr(0, path.rfind('/') + 1) + without_fragment(location);
  }
  return url;
}

Url with_parameter(Url url, std::string_view name, std::string_view value) {
  url.target += url.target.find('?') == std::string::npos ? '?' : '&';
  url.target += std::string(name) + '=' + percent_encode(value);
  return url;
}

bool is_local(std::string_view host) {
  if (host.starts_with("[::1]")) return true;
  const std::string_view name = host.substr(0, host.find(':'));
  if (name == "localhost") return true;
  // "127.evil.example" is not.
  const auto parts = split(std::string_view(name), '.');
  return parts.size() == 4 && parts[0] == "127" &&
         std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           return !part.empty() && part.size() <= 3 &&
                  part.find_first_not_of("0123456789") == std::string_view::npos;
         });
}

}  // namespace runner::registry
