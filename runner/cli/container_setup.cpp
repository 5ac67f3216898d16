#include "runner/cli/container_setup.h"

#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "executors/containers/owner.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/cli/container_engines.h"
#include "runner/daemon/container_work.h"
#include "runner/engine/job_order.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

fs::path of_environment(const char* name, const char* below) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? fs::path() : fs::path(value) / below;
}

/// Where Docker and Podman keep logins of this user, by their own rules.
std::vector<fs::path> login_files() {
  std::vector<fs::path> files;
  const auto add = [&](fs::path file) {
    if (!file.empty()) files.push_back(std::move(file));
  };
  add(of_environment("DOCKER_CONFIG", "config.json"));
  if (files.empty()) add(of_environment("HOME", ".docker/config.json"));
  const fs::path named = of_environment("REGISTRY_AUTH_FILE", "");
  if (!named.empty()) {
    add(std::getenv("REGISTRY_AUTH_FILE"));
  } else {
    add(of_environment("XDG_RUNTIME_DIR", "containers/auth.json"));
    add(of_environment("HOME", ".config/containers/auth.json"));
  }
  return files;
}

constexpr std::chrono::seconds kSweepDeadline{10};

std::string shown(const ContainerEngine& engine) {
  return engine.name + (engine.version.empty() ? "" : " " + engine.version) + " at " +
         in_quotes(engine.socket.native());
}

}  // namespace

ContainerSetup find_containers(const fs::path& socket) {
  ContainerSetup setup;
  const auto engines = socket.empty() ? find_container_engines() : look_at_container_engine(socket);
  const ContainerEngine* chosen = nullptr;
  for (const ContainerEngine& engine : engines) {
    if (!engine.version.empty() && (chosen == nullptr || chosen->version.empty())) chosen = &engine;
    if (chosen == nullptr) chosen = &engine;
  }
  if (chosen == nullptr) {
    setup.why_not = socket.empty() ? "neither docker nor podman has a socket here"
                                   : "there is no socket " + in_quotes(socket.native());
    return setup;
  }
  setup.settings.socket = chosen->socket;
  setup.settings.login_files = login_files();
  setup.engine = shown(*chosen);
  if (chosen->version.empty()) setup.why_not = setup.engine + " does not answer: " + chosen->why_not;
  return setup;
}

LocalContainers::LocalContainers(const executors::Launcher& launcher, engine::ContainerSettings settings,
                                 const fs::path& parent)
    : parent_(parent), settings_(std::move(settings)) {
  if (settings_.socket.empty()) return;
  settings_.owner = executors::container_owner(parent_);
  executor_.emplace(launcher, daemon::container_options(settings_), executors::StepLife::with_runner);
}

void LocalContainers::begin_sweep() {
  if (executor_) sweep_ = std::jthread([this] { sweep(); });
}

void LocalContainers::sweep() noexcept {
  const auto is_live = [this](const std::string& sandbox) {
    for (const fs::directory_entry& run : fs::directory_iterator(parent_)) {
      std::error_code none;
      for (const fs::directory_entry& attempt : fs::directory_iterator(run.path() / "work", none)) {
        if (engine::sandbox_name(attempt.path()) == sandbox) return true;
      }
    }
    return false;
  };
  try {
    executor_->sweep(is_live, std::chrono::steady_clock::now() + kSweepDeadline);
  } catch (const std::exception& error) {
    log_warn("exec", std::string("cannot remove containers of dead runs: ") + error.what());
  }
}

}  // namespace runner::cli
