#pragma once
// Pipelines, and the plans they were frozen with.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/status.h"
#include "runner/storage/records.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// Each one set must fit.
struct PipelineFilter {
  std::optional<std::int64_t> project_id;
  std::optional<std::string> ref, source;
  std::optional<pipelines::JobStatus> status;
  std::optional<std::int64_t> before;  // id: only older ones, for the next page
};

/// Texts of pipelines/frozen_plan.h. They hold the values of masked variables.
struct FrozenPipeline {
  Secret plan, facts;
};

/// The same commit on the same ref of a project has the same key.
std::string push_once_key(std::int64_t project, std::string_view ref, std::string_view sha);

class Pipelines {
 public:
  explicit Pipelines(Tx& tx) noexcept : tx_(tx) {}
  std::optional<PipelineRecord> find(std::int64_t id);
  std::optional<PipelineRecord> find_iid(std::int64_t project, std::int64_t iid);
  /// `record.id` 0 takes the next free id; one of a project without iid takes its next one. Returns the id.
  /// Throws Error{conflict} when id, iid or once key is taken, Error{not_found} without the project.
  std::int64_t insert(const PipelineRecord& record);
  /// The same; nullopt when there is one with this once key: nothing was written. Without a key it is
  /// insert().
  std::optional<std::int64_t> insert_once(const PipelineRecord& record);
  /// Status, times and version. False when `expected_version` is no longer current; nothing was written.
  bool replace(const PipelineRecord& next, std::int64_t expected_version);
  /// Newest first.
  std::vector<PipelineRecord> list(const PipelineFilter& filter, std::size_t limit);
  /// All whose status is not a final one, oldest first: what a server goes on with after a start.
  std::vector<PipelineRecord> unfinished();
  /// Those of them that need nobody's attention before there is room for their jobs, oldest first.
  std::vector<WaitingPipeline> waiting();
  /// The sources of pipelines of this commit that are newer than `id`.
  std::vector<std::string> newer_sources(std::int64_t project, std::string_view sha, std::int64_t id);

  /// Keeps what the pipeline was frozen with; once, in the transaction that inserts it.
  void keep_frozen(std::int64_t id, std::string_view plan, std::string_view facts, const Sealer& sealer);
  /// May be megabytes, so nothing else reads it. nullopt when there is none. Throws as Sealer::open() does.
  std::optional<FrozenPipeline> frozen(std::int64_t id, const Sealer& sealer);

 private:
  std::int64_t write(const PipelineRecord& record, std::int64_t& id);
  Tx& tx_;
};

}  // namespace runner::storage
