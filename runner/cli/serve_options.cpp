#include "runner/cli/serve_options.h"

#include <algorithm>
#include <string_view>

#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

/// "127.0.0.1:8080", "[::1]:8080", "8080", ":8080". False when it is none.
bool take_listen(const std::string& text, ServeOptions& options) {
  const std::size_t colon = text.rfind(':');
  std::string address = colon == std::string::npos ? "" : text.substr(0, colon);
  const auto port = parse_integer(colon == std::string::npos ? text : text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65'535) return false;
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (!address.empty()) options.address = address;
  options.port = static_cast<std::uint16_t>(*port);
  return true;
}

/// "https://ci.example.com", perhaps with a path: what links begin with.
bool is_web_address(std::string_view url) {
  const std::size_t host = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
  return host != 0 && url.size() > host && url[host] != '/' && plain &&
         url.find_first_of("?#@\"<>\\") == std::string_view::npos;
}

}  // namespace

Command serve_options(const RawArguments& raw) {
  ServeOptions options;
  options.data = raw.last("--data");
  if (raw.has("--listen") && !take_listen(raw.last("--listen"), options)) {
    return UsageError{"'--listen " + raw.last("--listen") + "' is no address",
                      "write it like 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080"};
  }
  options.url = raw.last("--url");
  if (raw.has("--url") && !is_web_address(options.url)) {
    return UsageError{"'--url " + options.url + "' is no address of a web server",
                      "write it like https://ci.example.com"};
  }
  options.certificate = raw.last("--tls-certificate");
  options.key = raw.last("--tls-key");
  if (options.certificate.empty() != options.key.empty())
    return UsageError{"'--tls-certificate' and '--tls-key' go together", ""};
  if (raw.has("--jobs")) {
    const auto count = parse_integer(raw.last("--jobs"));
    if (!count || *count < 1 || *count > 10'000) {
      return UsageError{"'--jobs " + raw.last("--jobs") + "' is no number of jobs",
                        "write a number from 1 to 10000"};
    }
    options.parallel = static_cast<std::size_t>(*count);
  }
  if (raw.has("--executor")) {
    const std::string kind = raw.last("--executor");
    if (kind != "auto" && kind != "shell")
      return UsageError{"unknown executor '" + kind + "'", "allowed are auto and shell"};
    options.shell_only = kind == "shell";
  }
  if (raw.has("--timeout")) {
    options.timeout = parse_duration(raw.last("--timeout"));
    if (!options.timeout) {
      return UsageError{"'--timeout " + raw.last("--timeout") + "' is no duration",
                        "write it like 90s, 30m or 1h 30m"};
    }
  }
  if (raw.has("--log-level")) {
    options.log_level = raw.last("--log-level");
    if (options.log_level != "debug" && options.log_level != "info" && options.log_level != "warn" &&
        options.log_level != "error")
      return UsageError{"unknown log level '" + options.log_level + "'",
                        "allowed are debug, info, warn and error"};
  }
  return options;
}

}  // namespace runner::cli
