#pragma once
// What a host is told about an attempt, and what it says of its end. Values.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runner/engine/decide.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_artifacts.h"

namespace runner::engine {

/// A job whose artifacts and variables this one takes.
struct Upstream {
  std::string name;
  cache::HeldEntry layer;  // null: it left nothing
  NamedValues dotenv;
  bool kept = false;  // by an earlier run
  std::string lost;   // why what it left is gone
};

/// What to run. The request outlives the run and does not change.
struct JobOrder {
  const PipelineRequest* request = nullptr;
  JobState state;
  std::vector<Upstream> upstream;  // in unpacking order
  std::size_t slot = 0;
  std::filesystem::path work_dir;  // made and removed by the run
  std::filesystem::path log_path;  // its directory exists
  std::filesystem::path archive_root;
};

/// The sandbox of the attempt that works in `work_dir`: no two on one machine share it.
std::string sandbox_name(const std::filesystem::path& work_dir);

struct ArchiveOrder {
  std::int64_t attempt = 0;
  std::filesystem::path archive_root;
};

/// The archives of what an attempt left.
struct Archives {
  std::optional<ArchiveView> archive, reports;
  std::string error;  // not empty: why something is missing
};

struct JobOutcome {
  RunResult result;
  Collected collected;
  std::optional<double> coverage;
  std::vector<std::string> warnings;
  std::string environment_url;  // of environment:url, after the job
  std::uint64_t cache_hits = 0, cache_misses = 0;
  // From a host that keeps them itself: there are reports; or why the artifacts are gone.
  bool reports = false;
  std::string lost;
};

}  // namespace runner::engine
