#pragma once
// Secrets that a configuration file names: by file or by environment variable, never as they are. Internal to
// this folder.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runner/daemon/config_file.h"
#include "runner/daemon/config_map.h"

namespace runner::daemon {

class ConfigSecrets {
 public:
  /// Relative paths count from `directory`, which is that of the file. The environment outlives it.
  ConfigSecrets(std::filesystem::path directory, const Environment& environment)
      : directory_(std::move(directory)), environment_(environment) {}

  enum class Form : std::uint8_t { line, lines };
  /// What 'NAME_file' or 'NAME_env' names. Reported, in `map`: both of them, 'NAME' itself, what cannot be
  /// read or holds no secret. SECRET.
  std::optional<std::string> take(ConfigMap& map, const std::string& name, Form form);

  /// An absolute path.
  std::filesystem::path resolve(const std::string& path) const;
  /// Names of the variables that were asked for.
  const std::set<std::string>& variables() const noexcept { return variables_; }

 private:
  std::optional<std::string> read(ConfigMap& map, const std::string& key, const std::string& path);
  std::optional<std::string> look_up(ConfigMap& map, const std::string& key, const std::string& name);

  const std::filesystem::path directory_;
  const Environment& environment_;
  std::set<std::string> variables_;
};

}  // namespace runner::daemon
