#pragma once
// The configuration file of a server that runs: applied at the start, and read again when somebody asks.

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "runner/daemon/base_environment.h"
#include "runner/daemon/config_file.h"
#include "runner/daemon/metrics.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// References outlive who has them.
struct ConfigParts {
  storage::Store& store;
  const storage::Sealer& sealer;
  const Clock& clock;
  BaseEnvironment& base_environment;                // told which variables hold secrets, before anything else
  std::set<std::string> overridden;                 // keys of the server that the command line decides
  Environment environment = process_environment();  // for secrets, when it is read again
};

/// Any thread.
class ConfigKeeper {
 public:
  /// Applies it; nullopt: there is none. Blocks on the store. Throws Error.
  ConfigKeeper(ConfigParts parts, std::optional<ConfigFile> config);

  /// Reads the file again. When it is wrong, all stays as it is and the log says where. True: it was applied;
  /// who looks at projects or schedules is to be told. Blocks on the disk and the store. Never throws.
  bool reload() noexcept;
  /// runner_config_*.
  void add_metrics(MetricsText& text) const;

 private:
  void apply(const ConfigFile& config);
  bool read_again();
  void tell_changes(const ConfigServer& server);

  const ConfigParts parts_;
  mutable std::mutex mutex_;  // of the rest
  std::optional<ConfigFile> config_;
  ConfigServer started_with_;
  bool last_ok_ = true;
  TimePoint last_at_;
};

/// What the log's level is called. Unknown texts are info.
void set_log_level_by_name(const std::string& name);

}  // namespace runner::daemon
