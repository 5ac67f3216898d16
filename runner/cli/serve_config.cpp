#include "runner/cli/serve_config.h"

#include <unistd.h>

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

void take_log(const daemon::ConfigServer& server, ServeOptions& options) {
  const auto is_free = [&](const char* key) { return !options.given.contains(key); };
  if (server.log_level && is_free("log_level")) options.log_level = *server.log_level;
  if (server.log_format && is_free("log_format")) options.json_log = *server.log_format == "json";
  if (!server.log_file.empty() && is_free("log_file")) options.log_file = server.log_file;
  if (server.log_max_size && is_free("log_max_size")) options.log_max_bytes = *server.log_max_size;
  if (server.log_keep && is_free("log_keep")) options.log_keep = *server.log_keep;
}

void take(const daemon::ConfigServer& server, ServeOptions& options) {
  const auto is_free = [&](const char* key) { return !options.given.contains(key); };
  if (server.listen && is_free("listen")) {
    options.address = server.listen->host;
    options.port = server.listen->port;
  }
  if (!server.url.empty() && is_free("url")) options.url = server.url;
  if (!server.certificate.empty() && is_free("tls")) {
    options.certificate = server.certificate;
    options.key = server.key;
  }
  if (!server.data.empty() && is_free("data")) options.data = server.data;
  if (server.jobs && is_free("jobs")) options.parallel = *server.jobs;
  if (server.shell_only && is_free("executor")) options.shell_only = *server.shell_only;
  if (server.timeout && is_free("timeout")) options.timeout = server.timeout;
  if (server.keep_logs && is_free("keep_logs")) options.keep_logs = server.keep_logs;
  take_log(server, options);
}

/// A file of the log is named by either.
bool log_options_fit(const ServeOptions& options) {
  if (!options.log_file.empty()) return true;
  if (!options.given.contains("log_max_size") && !options.given.contains("log_keep")) return true;
  print_error("'--log-max-size' and '--log-keep' are for a file", "add '--log-file FILE'");
  return false;
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
  if (std::getenv("RUNNER_DATA") != nullptr) options.given.emplace("data");
  if (path.empty()) {
    if (!options.check_config) {
      if (log_options_fit(options)) return {};
      return {std::nullopt, exit_usage};
    }
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
  if (!log_options_fit(options)) return {std::nullopt, exit_usage};
  return {std::move(reading.config), std::nullopt};
}

}  // namespace runner::cli
