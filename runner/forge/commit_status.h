#pragma once
// What a forge is told of a commit: one status for the pipeline, one for each job. Values; pure; any thread.
//
// Names, which forges show and people require before a merge:
//
//     runner                          the pipeline of a push, or one that was asked for or planned by time
//     runner / JOB                    a job of it
//     runner (merge request)          the pipeline of a merge request
//     runner (merge request) / JOB    a job of it
//
// A branch and a merge request of one commit do not disturb each other so. Of several pipelines of a commit
// the newest speaks.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipelines/status.h"
#include "runner/forge/forge.h"
#include "runner/storage/records.h"

namespace runner::forge {

struct CommitStatus {
  std::int64_t project = 0, pipeline = 0;
  std::optional<std::int64_t> job;
  std::string sha;   // the whole commit id
  std::string ref;   // branch or tag without its prefix; "" of a merge request
  std::string name;  // see above
  pipelines::JobStatus status = pipelines::JobStatus::created;
  bool allow_failure = false;  // a failure, or a job that nobody has started, does no harm
  bool broken = false;         // it failed because of the machinery
  std::string description;     // for people, 140 characters at most

  bool operator==(const CommitStatus&) const = default;
};

/// nullopt for a pipeline of no project.
std::optional<CommitStatus> status_of(const storage::PipelineRecord& pipeline);
/// `attempt` is the newest one of its job.
std::optional<CommitStatus> status_of(const storage::PipelineRecord& pipeline,
                                      const storage::JobRecord& attempt);

/// The word of the forge: GitHub pending, success, failure, error; GitLab pending, running, success, failed,
/// canceled; Gitea those of GitHub. What is allowed to fail is never red.
std::string_view state_of(ForgeKind kind, const CommitStatus& status);

/// As it lies in the outbox. Of one project, commit and name there is one key.
std::string key_of(const CommitStatus& status);
std::string key_prefix_of(std::int64_t project);
std::string encode(const CommitStatus& status);
/// nullopt for what encode() did not make.
std::optional<CommitStatus> decode(std::string_view text);

}  // namespace runner::forge
