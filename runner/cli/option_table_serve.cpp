// `runner serve`: what it takes.

#include <array>

#include "runner/cli/option_table.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhere = "Where";
constexpr std::string_view kHow = "How jobs run";
constexpr std::string_view kOutput = "Output";

constexpr std::array<OptionSpec, 17> kServeOptions{{
    {"--config", "FILE", kWhere,
     "configuration with projects and schedules, read again on SIGHUP; options win. Default: "
     "/etc/runner/config.yaml when it is there",
     ""},
    {"--check-config", "", kWhere, "say what is wrong with that file, and serve nothing", ""},
    {"--data", "DIR", kWhere,
     "where everything is kept, for this server alone; default: $RUNNER_DATA, else /var/lib/runner as root "
     "and "
     "the user's data directory as anybody else",
     ""},
    {"--listen", "ADDRESS:PORT", kWhere,
     "where the API and webhooks are answered; default: 127.0.0.1:8080, which only this machine reaches. "
     "Always also on DATA/runner.sock",
     ""},
    {"--url", "URL", kWhere,
     "where people reach this server, such as https://ci.example.com: for links in commit statuses", ""},
    {"--tls-certificate", "FILE", kWhere, "PEM, the server's first: answer by HTTPS; with --tls-key", ""},
    {"--tls-key", "FILE", kWhere, "PEM, without a passphrase", ""},
    {"-j,--jobs", "N", kHow, "jobs at the same time; default: the number of cores, but at least 4", ""},
    {"--executor", "KIND", kHow,
     "shell: jobs that want an image run in the shell of this machine; auto: they run in containers of the "
     "engine that is there, and fail when there is none",
     "auto,shell"},
    {"--timeout", "DURATION", kHow, "of jobs that have none of their own; default: 1h", ""},
    {"--keep-logs", "DURATION", kHow,
     "of pipelines after their end, such as 90d, or 'forever'; default: 365d. Archives have "
     "artifacts:expire_in",
     ""},
    {"--log-level", "LEVEL", kOutput, "what goes to standard error; default: info", "debug,info,warn,error"},
    {"--log-format", "FORMAT", kOutput, "json: one object per line; default: text", "text,json"},
    {"--log-file", "FILE", kOutput,
     "instead of standard error; opened again on SIGHUP. When it is full it becomes FILE-TIME.zst", ""},
    {"--log-max-size", "SIZE", kOutput, "when FILE is full; default: 64M", ""},
    {"--log-keep", "N", kOutput, "full ones that are kept; default: 14", ""},
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::string_view kText =
    "Watches repositories and runs their pipelines: on pushes, seen by polling or told by webhooks, and when "
    "asked.\n"
    "Projects are added with 'runner project add'. Ends on SIGTERM and SIGINT; jobs that run go on, and the "
    "next\n"
    "server with the same data directory takes them over, also after this one was killed.\n"
    "\n"
    "Exit codes: 0 ended as asked, 2 the command line or the configuration file is wrong, 3 the machinery "
    "failed.";

constexpr std::string_view kExamples =
    "  runner serve                                     on 127.0.0.1:8080\n"
    "  runner serve --data /srv/runner --jobs 8\n"
    "  runner serve --config runner.yaml --check-config\n"
    "  runner serve --listen 0.0.0.0:8443 --tls-certificate cert.pem --tls-key key.pem\n";

}  // namespace

const CommandSpec& serve_command() {
  static const CommandSpec command{"serve", "[options]",   "watch repositories and run their pipelines",
                                   kText,   kExamples,     "",
                                   false,   kServeOptions, nullptr};
  return command;
}

}  // namespace runner::cli
