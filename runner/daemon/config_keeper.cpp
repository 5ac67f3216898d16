#include "runner/daemon/config_keeper.h"

#include <exception>
#include <utility>

#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/config_apply.h"

namespace runner::daemon {

ConfigKeeper::ConfigKeeper(storage::Store& store, const storage::Sealer& sealer, const Clock& clock,
                           std::optional<ConfigFile> config, Environment environment)
    : store_(store),
      sealer_(sealer),
      clock_(clock),
      environment_(std::move(environment)),
      config_(std::move(config)),
      last_at_(clock.now()) {
  if (!config_) {
    forget_config(store_);
    return;
  }
  started_with_ = config_->server;
  apply(*config_);
}

void ConfigKeeper::apply(const ConfigFile& config) {
  for (const std::string& change : apply_config(store_, sealer_, config, clock_.now()))
    log_info("config", change);
}

bool ConfigKeeper::reload() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (!config_) {
      log_info("config", "there is no configuration file to read again");
      return false;
    }
    last_at_ = clock_.now();
    last_ok_ = false;
    last_ok_ = read_again();
    return last_ok_;
  } catch (const std::exception& error) {
    log_error("config", std::string(error.what()) + "; the configuration stays as it was");
    return false;
  }
}

bool ConfigKeeper::read_again() {
  ConfigReading reading = read_config(config_->path, environment_, clock_.now());
  for (const std::string& line : reading.lines())
    log(reading.config ? LogLevel::warn : LogLevel::error, "config", line);
  if (!reading.config) {
    log_error("config",
              in_quotes(config_->path.native()) +
                  " is wrong: the configuration stays as it was, until it is mended and read again");
    return false;
  }
  apply(*reading.config);
  const ConfigServer& server = reading.config->server;
  if (server.log_level && server.log_level != config_->server.log_level)
    set_log_level_by_name(*server.log_level);
  if (!(server == started_with_))
    log_warn("config", "what the file says of the server itself counts from its next start");
  config_ = std::move(reading.config);
  log_info("config", "read " + in_quotes(config_->path.native()) +
                         " again: " + format_count(config_->projects.size(), "project"));
  return true;
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
