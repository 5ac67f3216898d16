#include "runner/cli/serve_options.h"

#include <array>
#include <string_view>
#include <utility>

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/daemon/listen_address.h"
#include "runner/daemon/serve_values.h"

namespace runner::cli {
namespace {

/// Options that a key of the configuration file stands for.
constexpr std::array<std::pair<const char*, const char*>, 13> kKeys{{
    {"--listen", "listen"},
    {"--url", "url"},
    {"--tls-certificate", "tls"},
    {"--data", "data"},
    {"--jobs", "jobs"},
    {"--executor", "executor"},
    {"--timeout", "timeout"},
    {"--keep-logs", "keep_logs"},
    {"--log-level", "log_level"},
    {"--log-format", "log_format"},
    {"--log-file", "log_file"},
    {"--log-max-size", "log_max_size"},
    {"--log-keep", "log_keep"},
}};

}  // namespace

Command serve_options(const RawArguments& raw) {
  ServeOptions options;
  options.data = raw.last("--data");
  options.config = raw.last("--config");
  options.check_config = raw.has("--check-config");
  for (const auto& [name, key] : kKeys) {
    if (raw.has(name)) options.given.emplace(key);
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
  if (raw.has("--url") && !daemon::is_web_address(options.url)) {
    return UsageError{"'--url " + options.url + "' is no address of a web server",
                      std::string(daemon::kWebAddressHelp)};
  }
  options.certificate = raw.last("--tls-certificate");
  options.key = raw.last("--tls-key");
  if (options.certificate.empty() != options.key.empty())
    return UsageError{"'--tls-certificate' and '--tls-key' go together", ""};
  if (raw.has("--jobs")) {
    const auto count = parse_integer(raw.last("--jobs"));
    if (!count || *count < 1 || *count > daemon::kMostJobs) {
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
    options.keep_logs = daemon::parse_keep_logs(raw.last("--keep-logs"));
    if (!options.keep_logs) {
      return UsageError{"'--keep-logs " + raw.last("--keep-logs") + "' is no duration",
                        std::string(daemon::kKeepLogsHelp)};
    }
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
  if (raw.has("--log-max-size")) {
    const auto bytes = daemon::parse_log_size(raw.last("--log-max-size"));
    if (!bytes) {
      return UsageError{"'--log-max-size " + raw.last("--log-max-size") + "' is no size of a log",
                        std::string(daemon::kLogSizeHelp)};
    }
    options.log_max_bytes = *bytes;
  }
  if (raw.has("--log-keep")) {
    const auto count = parse_integer(raw.last("--log-keep"));
    if (!count || *count < 0 || *count > daemon::kMostLogFiles) {
      return UsageError{"'--log-keep " + raw.last("--log-keep") + "' is no number of files",
                        "write a number from 0 to 10000"};
    }
    options.log_keep = static_cast<std::size_t>(*count);
  }
  return options;
}

}  // namespace runner::cli
