#pragma once
// Rows as values. Pure; shared by the repositories and the engine's pure functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/status.h"
#include "runner/base/clock.h"

namespace runner::storage {

struct PipelineRecord {
  std::int64_t id = 0;
  std::int64_t version = 0;
  std::string project, name, source, ref, sha;
  pipelines::JobStatus status = pipelines::JobStatus::created;  // composite of its jobs
  TimePoint created_at{};
  std::optional<TimePoint> started_at, finished_at;
  // Of a server's pipelines; a local run has none of these.
  std::optional<std::int64_t> project_id;
  std::optional<std::int64_t> iid;      // number in its project
  std::string before_sha;               // what the ref pointed to before; may be empty
  std::optional<std::string> once_key;  // at most one pipeline has it: push_once_key()
  std::int64_t priority = 0;
  std::string started_by;  // who or what, for people
  /// Some job of it has a resource group: other pipelines may wait for what it decides.
  bool resource_groups = false;
};

/// A pipeline of which no job has begun, and that waits for room only.
struct WaitingPipeline {
  std::int64_t id = 0;
  std::string project;
  std::int64_t priority = 0;
  std::vector<std::size_t> pending;  // its jobs whose turn it is: indexes into its plan
};

/// One attempt of a job.
struct JobRecord {
  std::int64_t id = 0;
  std::int64_t version = 0;  // optimistic lock, +1 per change
  std::int64_t pipeline = 0;
  std::size_t plan_index = 0;
  int attempt = 1;
  std::string name, stage;
  pipelines::JobStatus status = pipelines::JobStatus::created;
  bool allow_failure = false;                       // as it counts, exit codes considered
  std::optional<pipelines::FailureReason> failure;  // set if and only if failed
  std::optional<int> exit_code;
  std::string reason;  // one sentence for people
  TimePoint created_at{};
  std::optional<TimePoint> scheduled_at;  // a delayed job's time
  std::optional<TimePoint> queued_at, started_at, finished_at;
};

struct EventRecord {
  std::int64_t job = 0;
  std::int64_t version = 0;  // of the job after the event
  std::string kind;
  pipelines::JobStatus from = pipelines::JobStatus::created;
  pipelines::JobStatus to = pipelines::JobStatus::created;
  std::string detail;
  TimePoint at{};
};

/// An act decided in the same transaction, to be done after it.
struct OutboxRecord {
  std::string key;  // the same act has the same key
  std::string kind;
  std::optional<std::int64_t> job;  // it goes with this job
  std::string payload;
  TimePoint created_at{};
  std::int64_t attempts = 0;                      // that failed
  std::optional<TimePoint> next_attempt_at = {};  // nullopt in append(): at once
  std::string last_error = {};                    // of the last attempt, for people
};

}  // namespace runner::storage
