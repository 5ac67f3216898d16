#include "runner/daemon/config_keeper.h"

#include <exception>
#include <utility>
#include <vector>

#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/config_apply.h"

namespace runner::daemon {
namespace {

constexpr const char* kLogLevel = "log_level";

}  // namespace

ConfigKeeper::ConfigKeeper(ConfigParts parts, std::optional<ConfigFile> config)
    : parts_(std::move(parts)), config_(std::move(config)), last_at_(parts_.clock.now()) {
  if (!config_) {
    forget_config(parts_.store);
    return;
  }
  started_with_ = config_->server;
  apply(*config_);
}

void ConfigKeeper::apply(const ConfigFile& config) {
  parts_.base_environment.withhold(config.secret_variables);
  for (const std::string& change : apply_config(parts_.store, parts_.sealer, config, parts_.clock.now()))
    log_info("config", change);
}

bool ConfigKeeper::reload() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (!config_) {
      log_info("config", "there is no configuration file to read again");
      return false;
    }
    last_at_ = parts_.clock.now();
    last_ok_ = false;
    last_ok_ = read_again();
    return last_ok_;
  } catch (const std::exception& error) {
    log_error("config", std::string(error.what()) + "; the configuration stays as it was");
    return false;
  }
}

bool ConfigKeeper::read_again() {
  ConfigReading reading = read_config(config_->path, parts_.environment, parts_.clock.now());
  for (const std::string& line : reading.lines())
    log(reading.config ? LogLevel::warn : LogLevel::error, "config", line);
  if (!reading.config) {
    log_error("config",
              in_quotes(config_->path.native()) +
                  " is wrong: the configuration stays as it was, until it is mended and read again");
    return false;
  }
  apply(*reading.config);
  tell_changes(reading.config->server);
  config_ = std::move(reading.config);
  log_info("config", "read " + in_quotes(config_->path.native()) +
                         " again: " + format_count(config_->projects.size(), "project"));
  return true;
}

/// Of the server itself the level of the log counts at once, all else from the next start; an option of the
/// command line counts more than either.
void ConfigKeeper::tell_changes(const ConfigServer& server) {
  std::vector<std::string> later, never;
  for (const std::string& key : changed_keys(started_with_, server)) {
    if (key != kLogLevel && !parts_.overridden.contains(key)) later.push_back(in_quotes(key));
  }
  for (const std::string& key : changed_keys(config_->server, server)) {
    if (parts_.overridden.contains(key)) {
      never.push_back(in_quotes(key));
    } else if (key == kLogLevel) {
      set_log_level_by_name(server.log_level.value_or("info"));
    }
  }
  if (!later.empty())
    log_warn("config", "what the file says of " + join(later, ", ") + " counts from the next start");
  if (!never.empty())
    log_warn("config", "what the file says of " + join(never, ", ") +
                           " does not count, as an option of the command line says it");
}

void ConfigKeeper::add_metrics(MetricsText& text) const {
  const std::lock_guard lock(mutex_);
  text.family("runner_config_last_reload_success", "gauge",
              "Whether the configuration file was right when it was read last.");
  text.sample("runner_config_last_reload_success", last_ok_ ? 1 : 0);
  text.family("runner_config_last_reload_timestamp_seconds", "gauge",
              "When the configuration file was read last.");
  text.sample("runner_config_last_reload_timestamp_seconds",
              std::chrono::duration<double>(last_at_.time_since_epoch()).count());
}

void set_log_level_by_name(const std::string& name) {
  if (name == "debug") return set_log_level(LogLevel::debug);
  if (name == "warn") return set_log_level(LogLevel::warn);
  set_log_level(name == "error" ? LogLevel::error : LogLevel::info);
}

}  // namespace runner::daemon
