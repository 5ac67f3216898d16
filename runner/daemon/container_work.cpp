#include "runner/daemon/container_work.h"

#include <sys/resource.h>

#include <chrono>
#include <utility>

#include "executors/containers/image_records.h"
#include "executors/containers/owner.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/job_place.h"
#include "runner/engine/job_order.h"

namespace runner::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kBetweenSweeps{1};
constexpr std::chrono::seconds kSweepDeadline{10};
constexpr std::chrono::minutes kBudgetDeadline{5};
// An image is not removed between the moment a job has found it and that in which its container is made.
constexpr std::chrono::hours kKeptFor{1};

// What Podman gives a container when nobody says anything.
constexpr rlim_t kFilesWanted = 1'048'576, kProcessesWanted = 4'194'304;

/// An engine that was started as we were may not raise what we may not: a container would not start.
void add_own_limit(executors::Ulimits& limits, const char* name, __rlimit_resource resource, rlim_t wanted) {
  rlimit own{};
  if (limits.contains(name) || ::getrlimit(resource, &own) != 0 || own.rlim_max >= wanted) return;
  const auto hard = static_cast<std::int64_t>(own.rlim_max);
  limits[name] = {hard, hard};
}

}  // namespace

executors::ContainerOptions container_options(const engine::ContainerSettings& settings) {
  executors::ContainerOptions options;
  options.socket = settings.socket;
  options.owner = settings.owner;
  options.program = executors::own_program();
  options.images = settings.images;
  for (const auto& [name, limits] : settings.ulimits) {
    options.ulimits[name] = {static_cast<std::int64_t>(limits.first),
                             static_cast<std::int64_t>(limits.second)};
  }
  add_own_limit(options.ulimits, "nofile", RLIMIT_NOFILE, kFilesWanted);
  add_own_limit(options.ulimits, "nproc", RLIMIT_NPROC, kProcessesWanted);
  return options;
}

ContainerSweeper::ContainerSweeper(const executors::Launcher& launcher, engine::ContainerSettings settings,
                                   fs::path jobs)
    : settings_(std::move(settings)),
      jobs_(std::move(jobs)),
      executor_(launcher, container_options(settings_)) {
  if (!settings_.socket.empty()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

DiskReclaimed ContainerSweeper::reclaimed() const {
  const std::lock_guard lock(mutex_);
  return reclaimed_;
}

void ContainerSweeper::keep_budgets() {
  if (settings_.image_budget == 0 && settings_.build_cache_budget == 0) return;
  executors::EngineApi api(settings_.socket);
  api.agree();
  const auto deadline = std::chrono::steady_clock::now() + kBudgetDeadline;
  executors::Reclaimed images;
  if (settings_.image_budget > 0) {
    images = executors::keep_image_budget(api, executors::ImageRecords(settings_.images),
                                          settings_.image_budget, kKeptFor, deadline);
    if (images.images > 0)
      log_info("containers", "removed images to keep image_budget: " + join(images.names, ", ") + " (" +
                                 format_bytes(images.bytes) + ")");
  }
  std::uint64_t cache = 0;
  if (settings_.build_cache_budget > 0) {
    cache = executors::keep_build_cache_budget(api, settings_.build_cache_budget, deadline);
    if (cache > 0) log_info("containers", "removed " + format_bytes(cache) + " of the engine's build cache");
  }
  const std::lock_guard lock(mutex_);
  reclaimed_.images += images.images;
  reclaimed_.image_bytes += images.bytes;
  reclaimed_.build_cache_bytes += cache;
}

void ContainerSweeper::run(const std::stop_token& stop) {
  // Asked about what was found already: who makes a container has its directory before.
  const auto is_live = [this](const std::string& sandbox) {
    for (const fs::directory_entry& attempt : fs::directory_iterator(jobs_)) {
      if (engine::sandbox_name(attempt.path() / job_file::kWork) == sandbox) return true;
    }
    return false;
  };
  std::string told;
  while (!stop.stop_requested()) {
    try {
      const std::size_t removed = executor_.sweep(is_live, std::chrono::steady_clock::now() + kSweepDeadline);
      if (removed > 0) log_info("containers", "removed " + std::to_string(removed) + " things of dead jobs");
      keep_budgets();
      told.clear();
    } catch (const std::exception& error) {
      if (std::exchange(told, error.what()) != error.what()) log_warn("containers", told);
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kBetweenSweeps, [] { return false; });
  }
}

}  // namespace runner::daemon
