#pragma once
// The repositories that a server watches.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/names.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// Of pipelines and projects: from -kHighestPriority to this.
inline constexpr std::int64_t kHighestPriority = 100;

struct ProjectRecord {
  std::int64_t id = 0;
  std::string name;                                         // unique; project_name_problem()
  std::string url;                                          // without credentials
  std::vector<std::string> branches = {"develop", "main"};  // patterns
  std::vector<std::string> tags;                            // patterns
  std::string pipeline_file = ".gitlab-ci.yml";
  std::chrono::milliseconds poll_interval{30'000};  // 0 = not polled
  bool paused = false;
  // The forge that is told of its commits (runner/forge); "" = as the address says.
  std::string forge;                  // a name of forge::ForgeKind
  std::string forge_api;              // base address of its API
  std::string forge_repository;       // "owner/name" there
  bool merge_requests = false;        // heads of merge requests are watched, too
  bool merge_requests_noted = false;  // see Projects::note_merge_requests()
  std::int64_t priority = 0;          // of its pipelines, where nobody says another; kHighestPriority
  std::int64_t version = 0;           // optimistic lock, +1 per change
  TimePoint created_at{};
};

class Projects {
 public:
  explicit Projects(Tx& tx) noexcept : tx_(tx) {}
  /// Id and version are not looked at. Returns the id. Throws Error{invalid_input} for a name or another text
  /// that cannot be, Error{conflict} when there is a project of that name.
  std::int64_t insert(const ProjectRecord& record);
  std::optional<ProjectRecord> find(std::int64_t id);
  std::optional<ProjectRecord> find(const std::string& name);
  /// By name, those after `after`; "" begins.
  std::vector<ProjectRecord> list(const std::string& after = {}, std::size_t limit = kMaxPage);
  /// All but id, time of creation and what note_merge_requests() says; the version becomes `expected_version`
  /// + 1. False when that is no longer current, or the project is gone; nothing was written. Throws as
  /// insert() does.
  bool replace(const ProjectRecord& next, std::int64_t expected_version);
  /// The merge requests that were there when `merge_requests` was switched on are known; true until it is
  /// switched off. Not a change of the version.
  void note_merge_requests(std::int64_t id);
  /// With its pipelines, jobs, credentials, refs, deliveries, schedules and reports. What it leaves:
  /// `events`, which tell of it; archives, which go with their files (artifact_table.h); acts of the outbox
  /// that belong to no job, which find no project. False when it is gone already. Throws Error{conflict}
  /// while a pipeline of it is unfinished; nothing was removed.
  bool remove(std::int64_t id);
  /// The next number of a pipeline of it, from 1. Not a change of the version. Throws Error{not_found}.
  std::int64_t take_iid(std::int64_t id);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
