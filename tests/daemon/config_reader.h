#pragma once
// Configuration files in a directory of their own, and what is said of them.

#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/daemon/config_file.h"

namespace runner::daemon {

inline const TimePoint kNow{std::chrono::sys_days{std::chrono::March / 10 / 2026}};
inline constexpr const char* kKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END-----\n";

class ConfigReader : public testing::Test {
 public:
  void write(const std::string& name, std::string_view content, unsigned mode = 0600) const {
    write_file_atomic(dir.path() / name, content, mode);
  }
  ConfigReading read(std::string_view text) {
    write("config.yaml", text);
    return read_config(
        dir.path() / "config.yaml",
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = environment.find(name);
          return found == environment.end() ? std::nullopt : std::optional(found->second);
        },
        kNow);
  }
  /// The lines without the directory.
  std::vector<std::string> complaints(std::string_view text) {
    const ConfigReading reading = read(text);
    EXPECT_EQ(reading.config.has_value(), !reading.diagnostics.has_errors());
    std::vector<std::string> lines = reading.lines();
    for (std::string& line : lines) line = replace_all(line, dir.path().native() + "/", "");
    return lines;
  }
  ConfigFile good(std::string_view text) {
    ConfigReading reading = read(text);
    EXPECT_THAT(reading.lines(), testing::IsEmpty());
    return reading.config.value();
  }

  TempDir dir{"config-test-"};
  std::map<std::string, std::string> environment;
};

}  // namespace runner::daemon
