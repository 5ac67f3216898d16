#include "pipelines/status.h"

#include <algorithm>
#include <array>

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 12> kJobStatusNames = {"created",   "waiting_for_resource",
                                                              "preparing", "pending",
                                                              "running",   "canceling",
                                                              "manual",    "scheduled",
                                                              "success",   "failed",
                                                              "canceled",  "skipped"};

constexpr std::array<std::string_view, 13> kFailureReasonNames = {"script_failure",
                                                                  "job_execution_timeout",
                                                                  "stuck_or_timeout_failure",
                                                                  "runner_system_failure",
                                                                  "runner_unsupported",
                                                                  "missing_dependency_failure",
                                                                  "unmet_prerequisites",
                                                                  "scheduler_failure",
                                                                  "data_integrity_failure",
                                                                  "stale_schedule",
                                                                  "downstream_pipeline_creation_failed",
                                                                  "unsupported_feature",
                                                                  "unknown_failure"};

/// Names that `retry:when` knows beside those of FailureReason, with the reason that we report in their
/// place.
struct RetryAlias {
  std::string_view name;
  std::optional<FailureReason> reason;  // none: accepted, never reported here
};
constexpr std::array<RetryAlias, 15> kRetryAliases = {{
    {"stuck_pending_with_matching_runners", FailureReason::stuck_or_timeout_failure},
    {"stuck_pending_no_matching_runners", FailureReason::stuck_or_timeout_failure},
    {"no_updates_running", FailureReason::stuck_or_timeout_failure},
    {"no_updates_canceling", FailureReason::stuck_or_timeout_failure},
    {"server_timeout_running", FailureReason::stuck_or_timeout_failure},
    {"server_timeout_canceling", FailureReason::stuck_or_timeout_failure},
    {"runner_configuration_error", FailureReason::runner_system_failure},
    {"runner_external_dependency_failure", FailureReason::runner_system_failure},
    {"runner_interrupted", FailureReason::runner_system_failure},
    {"archived_failure", std::nullopt},
    {"api_failure", std::nullopt},
    {"dependency_failure", std::nullopt},
    {"ci_quota_exceeded", std::nullopt},
    {"user_blocked", std::nullopt},
    {"forward_deployment_failure", std::nullopt},
}};

template <typename Names>
std::optional<std::size_t> position(const Names& names, std::string_view text) noexcept {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

/// A group as a set of statuses: the rules below only ask what occurs in it.
class StatusSet {
 public:
  constexpr StatusSet(std::initializer_list<MemberStatus> members) {
    for (MemberStatus member : members) add(member);
  }
  constexpr void add(MemberStatus member) { bits_ |= 1U << static_cast<unsigned>(member); }
  constexpr bool only(StatusSet allowed) const { return bits_ != 0 && (bits_ & ~allowed.bits_) == 0; }
  constexpr bool any(StatusSet wanted) const { return (bits_ & wanted.bits_) != 0; }

 private:
  unsigned bits_ = 0;
};

bool names_reason(std::string_view name, FailureReason reason) noexcept {
  if (name == "always" || name == to_string(reason)) return true;
  return std::any_of(kRetryAliases.begin(), kRetryAliases.end(),
                     [&](const RetryAlias& alias) { return alias.name == name && alias.reason == reason; });
}

/// How many times a job that failed for this reason may run again.
int retries_for(const Retry& retry, FailureReason reason, std::optional<int> exit_code) noexcept {
  if (reason == FailureReason::missing_dependency_failure || reason == FailureReason::unsupported_feature)
    return 0;
  if (!retry.configured) return reason == FailureReason::scheduler_failure ? 2 : 0;
  if (retry.when.empty() && retry.exit_codes.empty()) return retry.max;
  const bool by_reason = std::any_of(retry.when.begin(), retry.when.end(),
                                     [&](const std::string& name) { return names_reason(name, reason); });
  const bool by_code = exit_code && std::find(retry.exit_codes.begin(), retry.exit_codes.end(), *exit_code) !=
                                        retry.exit_codes.end();
  return by_reason || by_code ? retry.max : 0;
}

}  // namespace

std::string_view to_string(JobStatus status) noexcept {
  return kJobStatusNames[static_cast<std::size_t>(status)];
}

std::optional<JobStatus> parse_job_status(std::string_view text) noexcept {
  const auto index = position(kJobStatusNames, text);
  if (!index) return std::nullopt;
  return static_cast<JobStatus>(*index);
}

bool is_completed(JobStatus status) noexcept {
  return status == JobStatus::success || status == JobStatus::failed || status == JobStatus::canceled ||
         status == JobStatus::skipped;
}

std::string_view to_string(FailureReason reason) noexcept {
  return kFailureReasonNames[static_cast<std::size_t>(reason)];
}

std::optional<FailureReason> parse_failure_reason(std::string_view text) noexcept {
  const auto index = position(kFailureReasonNames, text);
  if (!index) return std::nullopt;
  return static_cast<FailureReason>(*index);
}

bool is_retry_condition(std::string_view text) noexcept {
  if (text == "always" || parse_failure_reason(text)) return true;
  return std::any_of(kRetryAliases.begin(), kRetryAliases.end(),
                     [&](const RetryAlias& alias) { return alias.name == text; });
}

std::vector<std::string_view> retry_conditions() {
  std::vector<std::string_view> names{"always"};
  names.insert(names.end(), kFailureReasonNames.begin(), kFailureReasonNames.end());
  for (const RetryAlias& alias : kRetryAliases) names.push_back(alias.name);
  return names;
}

MemberStatus member_status(JobStatus status, bool allow_failure) noexcept {
  if (allow_failure && (status == JobStatus::failed || status == JobStatus::canceled))
    return MemberStatus::warn;
  if (allow_failure && status == JobStatus::manual) return MemberStatus::ignored;
  return static_cast<MemberStatus>(status);  // the two enumerations begin alike
}
static_assert(static_cast<int>(MemberStatus::created) == static_cast<int>(JobStatus::created));
static_assert(static_cast<int>(MemberStatus::skipped) == static_cast<int>(JobStatus::skipped));

JobStatus composite_status(std::span<const MemberStatus> members, bool dag) noexcept {
  using enum MemberStatus;
  if (members.empty()) return JobStatus::success;
  StatusSet set{};
  for (MemberStatus member : members) set.add(member);

  if (dag && set.any({skipped, ignored})) return JobStatus::skipped;
  if (dag && !set.only({success, failed, canceled, skipped, warn})) return JobStatus::pending;
  if (set.only({skipped, ignored})) return JobStatus::skipped;
  if (set.only({success, skipped, warn, ignored})) return JobStatus::success;
  if (set.only({created, warn, ignored})) return JobStatus::created;
  if (set.only({preparing, warn, ignored})) return JobStatus::preparing;
  if (set.only({canceled, success, skipped, warn, ignored})) return JobStatus::canceled;
  if (set.only({pending, created, skipped, warn, ignored})) return JobStatus::pending;
  if (set.any({running, pending})) return JobStatus::running;
  if (set.any({waiting_for_resource})) return JobStatus::waiting_for_resource;
  if (set.any({manual})) return JobStatus::manual;
  if (set.any({scheduled})) return JobStatus::scheduled;
  if (set.any({preparing})) return JobStatus::preparing;
  if (set.any({created})) return JobStatus::running;
  if (set.any({canceling})) return JobStatus::canceling;
  return JobStatus::failed;
}

bool has_warnings(std::span<const MemberStatus> members) noexcept {
  return std::find(members.begin(), members.end(), MemberStatus::warn) != members.end();
}

bool should_retry(const Retry& retry, FailureReason reason, std::optional<int> exit_code, int runs) noexcept {
  return runs - 1 < retries_for(retry, reason, exit_code);
}

}  // namespace runner::pipelines
