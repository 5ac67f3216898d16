#pragma once
// Attempts that run in threads of this process, and end with it.

#include "runner/engine/job_host.h"
#include "runner/engine/job_runner.h"
#include "runner/engine/shell_script.h"

namespace runner::engine {

/// JobHost::archive() for what this process holds.
Archives write_archives(const ArchiveOrder& order, const Collected& collected,
                        const std::function<bool()>& stop) noexcept;

class LocalJobs final : public JobHost {
 public:
  /// What `parts` refers to must outlive it.
  LocalJobs(EngineOptions options, JobParts parts);
  LocalJobs(const LocalJobs&) = delete;
  LocalJobs& operator=(const LocalJobs&) = delete;

  void run(const JobOrder& order, StopControl& control, const OnEnd& on_end) noexcept override;
  Archives archive(const ArchiveOrder& order, const Collected& collected,
                   const std::function<bool()>& stop) noexcept override;
  void settle(std::int64_t) noexcept override {}
  bool keeps_time() const noexcept override { return false; }

 private:
  const EngineOptions options_;
  const JobParts parts_;
  const Shell shell_;
  const JobContext context_;
};

}  // namespace runner::engine
