#include "runner/cli/serve_config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/commands.h"
#include "runner/cli/messages.h"
#include "runner/cli/screen.h"

namespace runner::cli {
namespace {

std::filesystem::path path_of(const ServeOptions& options) {
  if (!options.config.empty()) return options.config;
  std::error_code error;
  // One that is there and cannot be looked at is no reason to serve as if there were none.
  const bool none =
      std::filesystem::status(daemon::kDefaultConfig, error).type() == std::filesystem::file_type::not_found;
  return none ? std::filesystem::path() : std::filesystem::path(daemon::kDefaultConfig);
}

void take(const daemon::ConfigServer& server, ServeOptions& options) {
  const auto is_free = [&](std::string_view name) {
    return std::find(options.given.begin(), options.given.end(), name) == options.given.end();
  };
  if (server.listen && is_free("--listen")) {
    options.address = server.listen->host;
    options.port = server.listen->port;
  }
  if (!server.certificate.empty() && is_free("--tls-certificate")) {
    options.certificate = server.certificate;
    options.key = server.key;
  }
  if (!server.data.empty() && is_free("--data") && std::getenv("RUNNER_DATA") == nullptr)
    options.data = server.data;
  if (server.jobs && is_free("--jobs")) options.parallel = *server.jobs;
  if (server.shell_only && is_free("--executor")) options.shell_only = *server.shell_only;
  if (server.timeout && is_free("--timeout")) options.timeout = server.timeout;
  if (server.log_level && is_free("--log-level")) options.log_level = *server.log_level;
}

std::string summary_of(const daemon::ConfigFile& config) {
  std::size_t schedules = 0;
  for (const daemon::ConfigProject& project : config.projects) schedules += project.schedules.size();
  return config.path.native() + ": all is well: " + format_count(config.projects.size(), "project") + ", " +
         format_count(schedules, "schedule") + "\n";
}

}  // namespace

ServeConfig load_serve_config(ServeOptions& options) {
  const std::filesystem::path path = path_of(options);
  if (path.empty()) {
    if (!options.check_config) return {};
    print_error(std::string("there is no configuration file ") + daemon::kDefaultConfig,
                "name one with --config");
    return {std::nullopt, exit_usage};
  }
  auto reading = daemon::read_config(path, daemon::process_environment(), SystemClock().now());
  pipelines::RenderOptions render;
  render.color = detect_screen(STDERR_FILENO, false).color;
  const std::string found = pipelines::render(reading.diagnostics.sorted(), *reading.sources, render);
  std::fputs(found.c_str(), stderr);
  if (!reading.config) return {std::nullopt, exit_usage};
  if (options.check_config) {
    say(summary_of(*reading.config));
    return {std::nullopt, exit_success};
  }
  take(reading.config->server, options);
  return {std::move(reading.config), std::nullopt};
}

}  // namespace runner::cli
