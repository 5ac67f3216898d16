#include "runner/cli/serve_options.h"

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/daemon/listen_address.h"

namespace runner::cli {
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
