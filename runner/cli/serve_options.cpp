#include "runner/cli/serve_options.h"

#include <algorithm>
#include <string_view>

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/daemon/listen_address.h"

namespace runner::cli {
namespace {

constexpr std::uint64_t kLeastLogBytes = 1UL << 20;

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
  options.config = raw.last("--config");
  options.check_config = raw.has("--check-config");
  for (const char* name :
       {"--data", "--listen", "--tls-certificate", "--jobs", "--executor", "--timeout", "--log-level"}) {
    if (raw.has(name)) options.given.emplace_back(name);
  }
  if (raw.has("--listen")) {
    const auto listen = daemon::parse_listen_address(raw.last("--listen"));
    if (!listen)
      return UsageError{"'--listen " + raw.last("--listen") + "' is no address",
                        std::string(daemon::kListenAddressHelp)};
    options.address = listen->host;
    options.port = listen->port;
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
  if (raw.has("--keep-logs")) {
    const std::string text = raw.last("--keep-logs");
    const auto kept = text == "forever" ? std::optional(std::chrono::milliseconds(0)) : parse_duration(text);
    const auto hours = kept ? std::chrono::ceil<std::chrono::hours>(*kept) : std::chrono::hours(0);
    if (!kept || (text != "forever" && hours.count() < 1))
      return UsageError{"'--keep-logs " + text + "' is no duration", "write it like 90d, or 'forever'"};
    options.keep_logs = hours;
  }
  if (raw.has("--log-level")) {
    options.log_level = raw.last("--log-level");
    if (options.log_level != "debug" && options.log_level != "info" && options.log_level != "warn" &&
        options.log_level != "error")
      return UsageError{"unknown log level '" + options.log_level + "'",
                        "allowed are debug, info, warn and error"};
  }
  if (raw.has("--log-format")) {
    const std::string format = raw.last("--log-format");
    if (format != "text" && format != "json")
      return UsageError{"unknown log format '" + format + "'", "allowed are text and json"};
    options.json_log = format == "json";
  }
  options.log_file = raw.last("--log-file");
  if (options.log_file.empty() && (raw.has("--log-max-size") || raw.has("--log-keep")))
    return UsageError{"'--log-max-size' and '--log-keep' are for a file", "add '--log-file FILE'"};
  if (raw.has("--log-max-size")) {
    const auto bytes = parse_bytes(raw.last("--log-max-size"));
    if (!bytes || *bytes < kLeastLogBytes) {
      return UsageError{"'--log-max-size " + raw.last("--log-max-size") + "' is no size of a log",
                        "write it like 64M; the least is 1M"};
    }
    options.log_max_bytes = *bytes;
  }
  if (raw.has("--log-keep")) {
    const auto count = parse_integer(raw.last("--log-keep"));
    if (!count || *count < 0 || *count > 10'000) {
      return UsageError{"'--log-keep " + raw.last("--log-keep") + "' is no number of files",
                        "write a number from 0 to 10000"};
    }
    options.log_keep = static_cast<std::size_t>(*count);
  }
  return options;
}

}  // namespace runner::cli
