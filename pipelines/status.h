#pragma once
// Statuses of jobs and of groups of jobs, and the rules that derive one from the other. Pure; any thread.
// Source of the tables: docs/pipeline-language.md, "Status model".

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pipelines/plan.h"

namespace runner::pipelines {

enum class JobStatus : std::uint8_t {
  created,
  waiting_for_resource,
  preparing,
  pending,
  running,
  canceling,
  manual,
  scheduled,
  success,
  failed,
  canceled,
  skipped,
};
/// The text stored in the database and shown: the enumerator's name.
std::string_view to_string(JobStatus status) noexcept;
std::optional<JobStatus> parse_job_status(std::string_view text) noexcept;

/// success, failed, canceled, skipped.
bool is_completed(JobStatus status) noexcept;

/// Why a job failed; the names are those of `retry:when`.
enum class FailureReason : std::uint8_t {
  script_failure,
  job_execution_timeout,
  stuck_or_timeout_failure,
  runner_system_failure,
  runner_unsupported,
  missing_dependency_failure,
  unmet_prerequisites,
  scheduler_failure,
  data_integrity_failure,
  stale_schedule,
  downstream_pipeline_creation_failed,
  unsupported_feature,
  unknown_failure,
};
std::string_view to_string(FailureReason reason) noexcept;
std::optional<FailureReason> parse_failure_reason(std::string_view text) noexcept;

/// A name that `retry:when` accepts: "always", a failure reason, or one of the finer names that stand for one
/// here.
bool is_retry_condition(std::string_view text) noexcept;
/// All of them, for messages.
std::vector<std::string_view> retry_conditions();

/// What a job counts as in a group.
enum class MemberStatus : std::uint8_t {
  created,
  waiting_for_resource,
  preparing,
  pending,
  running,
  canceling,
  manual,
  scheduled,
  success,
  failed,
  canceled,
  skipped,
  warn,     // failed or canceled, but allowed to
  ignored,  // an optional manual job nobody started
};
MemberStatus member_status(JobStatus status, bool allow_failure) noexcept;

/// The composite of a group (a stage, a pipeline, the jobs before a job): first rule that fits. An empty
/// group is success. `dag` for the needs of a job that has `needs`.
JobStatus composite_status(std::span<const MemberStatus> members, bool dag) noexcept;

/// A pipeline that is `success` with a `warn` member is shown as passed with warnings.
bool has_warnings(std::span<const MemberStatus> members) noexcept;

/// Whether a job that failed is tried again. `runs` counts the runs so far, the failed one included.
bool should_retry(const Retry& retry, FailureReason reason, std::optional<int> exit_code, int runs) noexcept;

}  // namespace runner::pipelines
