#pragma once
// The target of a request taken apart (RFC 9112, section 3.2; RFC 3986, section 2.1). Pure; any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::http {

/// Without %XX; nullopt when a '%' begins no such triple, or stands for the byte 0.
std::optional<std::string> percent_decode(std::string_view text);

struct Target {
  std::string path;                   // encoded, begins with '/'; "*" of OPTIONS
  std::vector<std::string> segments;  // decoded; "/" has one, and that is empty
  std::multimap<std::string, std::string, std::less<>> query;
};

/// Takes "/path?query", "http://host/path?query" and "*". nullopt for anything else, for bad escapes, and
/// where
/// "." or ".." stands between slashes, encoded or not: clients resolve those, so who sends one is up to
/// something.
std::optional<Target> parse_target(std::string_view target);

/// "/a/b?token&page" of "/a/b?token=x&page=2": a target for logs, without values, which may be secret.
std::string loggable(std::string_view target);

}  // namespace runner::http
