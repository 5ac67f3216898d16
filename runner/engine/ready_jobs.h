#pragma once
// Which jobs' turn it is: the processing loop of the dialect over a plan and the jobs' statuses. Pure.
//
// ReadyJobs keeps counts per stage and per list of needs, so that a change costs the number of stages plus
// the job's dependants, not the size of the pipeline. ready_jobs() is the same from scratch.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/plan.h"
#include "pipelines/status.h"

namespace runner::engine {

/// A job's newest attempt. Jobs that are not selected do not exist.
struct JobNow {
  pipelines::JobStatus status = pipelines::JobStatus::created;
  bool allow_failure = false;
  bool exists = true;
};

/// What becomes of a created job whose predecessors are done.
struct Transition {
  enum class Kind : std::uint8_t { enqueue, hold, delay, skip } kind = Kind::enqueue;
  std::size_t job = 0;
  std::string why;  // for skip
  bool operator==(const Transition&) const = default;
};

/// One thread. The plan must outlive it.
class ReadyJobs {
 public:
  ReadyJobs(const pipelines::Plan& plan, const std::vector<JobNow>& jobs);
  /// A job changed.
  void set(std::size_t job, const JobNow& now);
  /// The transitions due now, in order of stage and plan. A skip takes effect here at once and is followed to
  /// its consequences; the other kinds count as what they lead to (pending, manual, scheduled) until set()
  /// says more.
  std::vector<Transition> take();
  const std::vector<JobNow>& jobs() const noexcept { return jobs_; }
  /// Composite of all existing jobs.
  pipelines::JobStatus pipeline_status() const;
  bool has_warnings() const;

 private:
  static constexpr std::size_t kMembers = 14;
  using Counts = std::array<std::uint32_t, kMembers>;

  pipelines::MemberStatus member(std::size_t job) const;
  static pipelines::JobStatus composite(const Counts& counts, bool dag);
  void count(std::size_t job, bool add);
  std::optional<Transition> consider(std::size_t job) const;

  const pipelines::Plan& plan_;
  std::vector<JobNow> jobs_;
  std::vector<Counts> before_stage_;  // members of all earlier stages
  Counts all_{};
  std::vector<Counts> needs_;                         // by job; DAG jobs only
  std::vector<std::vector<std::size_t>> dependants_;  // DAG jobs that need it
  std::vector<std::vector<std::size_t>> waiting_;     // by stage: stage-scheduled jobs not yet decided
  std::vector<std::size_t> touched_;                  // DAG jobs to look at
  bool stages_touched_ = true;
};

std::vector<Transition> ready_jobs(const pipelines::Plan& plan, const std::vector<JobNow>& jobs);

/// The skipped jobs that must be looked at again when `job` is started by hand: stage-scheduled ones of later
/// stages and those that need it, directly or indirectly (through jobs that come back themselves).
std::vector<std::size_t> jobs_to_revive(const pipelines::Plan& plan, const std::vector<JobNow>& jobs,
                                        std::size_t job);

}  // namespace runner::engine
