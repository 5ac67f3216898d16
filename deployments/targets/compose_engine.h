#pragma once
// What a compose target asks of its container engine, by the Engine API over its socket alone: containers by
// their labels, images, and records. A record is an empty volume with labels: making one is a test-and-set of
// the engine's, as whoever comes second gets the labels of the first, and labels never change. What a target
// must know for ever lies in records, so that it is where the engine is, whichever machine asks. Internal to
// this folder; any thread; blocks on the engine.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "executors/containers/engine_api.h"

namespace runner::deployments {

using Labels = std::map<std::string, std::string>;

/// Labels of ours; and those by which compose knows its own.
namespace label {
inline constexpr const char* kUnit = "io.runner.deploy.unit";      // of all that is ours: PROJECT/SERVICE
inline constexpr const char* kRecord = "io.runner.deploy.record";  // "fence", "release", "slot", "command"
inline constexpr const char* kEnvironment = "io.runner.deploy.environment";
inline constexpr const char* kDeployment = "io.runner.deploy.deployment";
inline constexpr const char* kToken = "io.runner.deploy.token";
inline constexpr const char* kRelease = "io.runner.deploy.release";
inline constexpr const char* kSlot = "io.runner.deploy.slot";
inline constexpr const char* kCommand = "io.runner.deploy.command";    // a container of a command: its name
inline constexpr const char* kSurvives = "io.runner.deploy.survives";  // "yes": whoever comes waits for it
inline constexpr const char* kConfig = "io.runner.deploy.config";      // digest of what it was made by
inline constexpr const char* kProject = "com.docker.compose.project";
inline constexpr const char* kService = "com.docker.compose.service";
}  // namespace label

/// The value of a label; "" when there is none.
const std::string& label_of(const Labels& labels, const char* name);
std::uint64_t token_of(const Labels& labels);

struct EngineContainer {
  std::string id;
  Labels labels;
  bool active = false;  // it runs, or the engine is about to start it again
  std::int64_t created = 0;
};

struct EngineRecord {
  std::string name;
  Labels labels;
};

class ComposeEngine {
 public:
  explicit ComposeEngine(std::filesystem::path socket) : socket_(std::move(socket)) {}

  const std::filesystem::path& socket() const noexcept { return socket_; }
  /// With a version agreed on. Throws Error{unavailable} with the mend.
  executors::EngineApi api(const std::stop_token& stop);

  /// All that have these labels, the newest first.
  std::vector<EngineContainer> containers(const Labels& labels, const std::stop_token& stop);
  std::vector<EngineRecord> records(const Labels& labels, const std::stop_token& stop);
  /// Makes it, or finds it: the labels are those of whoever was first.
  EngineRecord record(const std::string& name, const Labels& labels, const std::stop_token& stop);
  /// Fine when it is gone.
  void forget(const std::string& name, const std::stop_token& stop);

  void start(const std::string& container, const std::stop_token& stop);
  /// SIGTERM, or what its image says, then SIGKILL after `grace`; by the engine, so that it is done when we
  /// die. Fine when it does not run or is gone.
  void end(const std::string& container, std::chrono::milliseconds grace, const std::stop_token& stop);
  /// What it was made for has not begun.
  bool was_never_started(const std::string& container, const std::stop_token& stop);
  void kill(const std::string& container, const std::stop_token& stop);
  void remove(const std::string& container, const std::stop_token& stop);

  bool has_image(const std::string& image, const std::stop_token& stop);
  /// The names by digest that the engine has for an image; nullopt: it has no such image.
  std::optional<std::vector<std::string>> digests_of(const std::string& image, const std::stop_token& stop);
  /// This name of it. One that a container uses stays.
  void remove_image(const std::string& image, const std::stop_token& stop);

 private:
  const std::filesystem::path socket_;
  std::mutex mutex_;
  std::optional<executors::EngineApi> api_;
};

}  // namespace runner::deployments
