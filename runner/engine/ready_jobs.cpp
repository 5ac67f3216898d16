#include "runner/engine/ready_jobs.h"

#include <algorithm>
#include <utility>

namespace runner::engine {
namespace {

using pipelines::JobStatus;
using pipelines::MemberStatus;
using pipelines::PlanJob;
using pipelines::When;

static_assert(static_cast<std::size_t>(MemberStatus::ignored) + 1 == 14);

bool fits(When when, JobStatus before, bool dag) {
  switch (when) {
    case When::on_success:
    case When::manual:
    case When::delayed:
      return before == JobStatus::success || (!dag && before == JobStatus::skipped);
    case When::on_failure:
      return before == JobStatus::failed;
    case When::always:
      return before == JobStatus::success || before == JobStatus::failed || before == JobStatus::skipped;
    case When::never:
      break;
  }
  return false;
}

// The first job that `job` needs and that is why; people want its name. Not of skipped ones: which of them is
// skipped first depends on the order of looking, and none is the cause.
std::string what_of(const pipelines::Plan& plan, const std::vector<JobNow>& jobs, const PlanJob& job,
                    JobStatus before) {
  if (!job.dag) return "an earlier stage";
  if (before == JobStatus::skipped) return "a job it needs";
  for (const auto& need : job.needs) {
    const JobNow& now = jobs[need.job];
    if (now.exists && now.status == before && (before != JobStatus::failed || !now.allow_failure)) {
      return "job '" + plan.jobs[need.job].name + "'";
    }
  }
  return "a job it needs";
}

std::string why_skipped(const std::string& what, const PlanJob& job, JobStatus before) {
  switch (before) {
    case JobStatus::failed:
      return what + " failed";
    case JobStatus::canceled:
      return what + " was canceled";
    case JobStatus::skipped:
      return what + " was skipped";
    default:
      return job.dag ? "no job it needs failed" : "no earlier stage failed";
  }
}

Transition::Kind kind_for(When when) {
  if (when == When::manual) return Transition::Kind::hold;
  if (when == When::delayed) return Transition::Kind::delay;
  return Transition::Kind::enqueue;
}

JobStatus after(Transition::Kind kind) {
  switch (kind) {
    case Transition::Kind::enqueue:
      return JobStatus::pending;
    case Transition::Kind::hold:
      return JobStatus::manual;
    case Transition::Kind::delay:
      return JobStatus::scheduled;
    case Transition::Kind::skip:
      break;
  }
  return JobStatus::skipped;
}

}  // namespace

ReadyJobs::ReadyJobs(const pipelines::Plan& plan, const std::vector<JobNow>& jobs)
    : plan_(plan),
      jobs_(jobs),
      before_stage_(plan.stages.size()),
      needs_(plan.jobs.size()),
      dependants_(plan.jobs.size()),
      waiting_(plan.stages.size()) {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (!jobs_[job].exists) continue;
    const PlanJob& planned = plan_.jobs[job];
    if (planned.dag) {
      for (const auto& need : planned.needs) {
        if (jobs_[need.job].exists) dependants_[need.job].push_back(job);
      }
      touched_.push_back(job);
    } else {
      waiting_[planned.stage_index].push_back(job);
    }
  }
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].exists) count(job, true);
  }
}

MemberStatus ReadyJobs::member(std::size_t job) const {
  return member_status(jobs_[job].status, jobs_[job].allow_failure);
}

void ReadyJobs::count(std::size_t job, bool add) {
  const auto index = static_cast<std::size_t>(member(job));
  const auto change = [&](Counts& counts) { counts[index] += add ? 1U : static_cast<std::uint32_t>(-1); };
  for (std::size_t stage = plan_.jobs[job].stage_index + 1; stage < before_stage_.size(); ++stage) {
    change(before_stage_[stage]);
  }
  change(all_);
  for (const std::size_t dependant : dependants_[job]) change(needs_[dependant]);
}

JobStatus ReadyJobs::composite(const Counts& counts, bool dag) {
  // The rules ask only which members are there, so one of each is enough.
  std::array<MemberStatus, kMembers> present{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < kMembers; ++i) {
    if (counts[i] != 0) present[size++] = static_cast<MemberStatus>(i);
  }
  return pipelines::composite_status({present.data(), size}, dag);
}

void ReadyJobs::set(std::size_t job, const JobNow& now) {
  JobNow& current = jobs_[job];
  if (!current.exists || (current.status == now.status && current.allow_failure == now.allow_failure)) return;
  count(job, false);
  current.status = now.status;
  current.allow_failure = now.allow_failure;
  count(job, true);
  stages_touched_ = true;
  touched_.insert(touched_.end(), dependants_[job].begin(), dependants_[job].end());
  if (now.status != JobStatus::created) return;
  if (plan_.jobs[job].dag) {
    touched_.push_back(job);
  } else {
    auto& waiting = waiting_[plan_.jobs[job].stage_index];
    const auto place = std::lower_bound(waiting.begin(), waiting.end(), job);
    if (place == waiting.end() || *place != job) waiting.insert(place, job);
  }
}

std::optional<Transition> ReadyJobs::consider(std::size_t job) const {
  if (jobs_[job].status != JobStatus::created) return std::nullopt;
  const PlanJob& planned = plan_.jobs[job];
  const JobStatus before =
      composite(planned.dag ? needs_[job] : before_stage_[planned.stage_index], planned.dag);
  if (!is_completed(before)) return std::nullopt;
  if (!fits(planned.when, before, planned.dag)) {
    return Transition{Transition::Kind::skip, job,
                      why_skipped(what_of(plan_, jobs_, planned, before), planned, before)};
  }
  return Transition{kind_for(planned.when), job, {}};
}

std::vector<Transition> ReadyJobs::take() {
  std::vector<Transition> due;
  const auto apply = [&](Transition transition) {
    set(transition.job, {after(transition.kind), jobs_[transition.job].allow_failure, true});
    due.push_back(std::move(transition));
  };
  while (stages_touched_ || !touched_.empty()) {
    stages_touched_ = false;
    // Plan order is stage order, so sorting keeps the order of stages.
    std::vector<std::size_t> touched = std::exchange(touched_, {});
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (const std::size_t job : touched) {
      if (auto transition = consider(job)) apply(std::move(*transition));
    }
    for (std::size_t stage = 0; stage < waiting_.size(); ++stage) {
      if (waiting_[stage].empty() || !is_completed(composite(before_stage_[stage], false))) continue;
      for (const std::size_t job : std::exchange(waiting_[stage], {})) {
        if (auto transition = consider(job)) apply(std::move(*transition));
      }
    }
  }
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.job < b.job; });
  return due;
}

JobStatus ReadyJobs::pipeline_status() const {
  return composite(all_, false);
}

bool ReadyJobs::has_warnings() const {
  return all_[static_cast<std::size_t>(MemberStatus::warn)] != 0;
}

std::vector<Transition> ready_jobs(const pipelines::Plan& plan, const std::vector<JobNow>& jobs) {
  return ReadyJobs(plan, jobs).take();
}

std::vector<std::size_t> jobs_to_revive(const pipelines::Plan& plan, const std::vector<JobNow>& jobs,
                                        std::size_t job) {
  std::vector<std::vector<std::size_t>> dependants(plan.jobs.size());
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    for (const auto& need : plan.jobs[i].needs) dependants[need.job].push_back(i);
  }
  std::vector<bool> seen(plan.jobs.size(), false);
  std::vector<std::size_t> open{job};
  seen[job] = true;
  while (!open.empty()) {
    const std::size_t current = open.back();
    open.pop_back();
    const auto reach = [&](std::size_t other) {
      if (seen[other] || !jobs[other].exists || jobs[other].status != JobStatus::skipped) return;
      seen[other] = true;
      open.push_back(other);
    };
    for (const std::size_t other : dependants[current]) reach(other);
    for (std::size_t other = 0; other < plan.jobs.size(); ++other) {
      if (!plan.jobs[other].dag && plan.jobs[other].stage_index > plan.jobs[current].stage_index)
        reach(other);
    }
  }
  std::vector<std::size_t> revived;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    if (seen[i] && i != job) revived.push_back(i);
  }
  return revived;
}

}  // namespace runner::engine
