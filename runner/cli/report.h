#pragma once
// The outcome of `runner exec` for programs: --report FILE and --json. Blocks on the disk. One thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runner/cli/json_writer.h"
#include "runner/engine/engine.h"

namespace runner::cli {

/// What came out, independent of how it is shown.
struct Outcome {
  std::string status = "skipped";  // success | failed | canceled | skipped
  bool blocked = false;            // manual jobs wait that later jobs need
  bool warnings = false;
  std::string why;  // for skipped: one sentence
  double seconds = 0;
  std::vector<engine::JobView> jobs;  // in plan order
  /// The whole logs of jobs that failed, by index, where they are kept.
  std::map<std::size_t, std::filesystem::path> logs;
};

/// success | failed | skipped | manual | canceled | warning. A job that never got its turn is skipped.
std::string_view report_status(const engine::JobView& job);
/// The pipeline's status in the words of the report: what waits for a person does not fail; a failure beside
/// it does.
std::string_view report_status(const engine::PipelineEnd& end, const std::vector<engine::JobView>& jobs);

/// Hands a job's whole masked log to `sink`, in pieces.
using LogReader = std::function<void(std::size_t job, const std::function<void(std::string_view)>& sink)>;

/// The document of --report. With `details` (--json) more is told: stages of life, archives, tests, coverage,
/// reasons.
void write_report(JsonWriter& json, const Outcome& outcome, const LogReader& log, bool details);
/// The same into a file, replaced as a whole at the end. Throws Error.
void write_report_file(const std::filesystem::path& file, const Outcome& outcome, const LogReader& log);

}  // namespace runner::cli
