#pragma once
// Repositories, one per aggregate: SQL written once for every dialect. Each lives as long as one transaction.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/storage/records.h"
#include "runner/storage/store.h"

namespace runner::storage {

class Pipelines {
 public:
  explicit Pipelines(Tx& tx) noexcept : tx_(tx) {}
  std::optional<PipelineRecord> find(std::int64_t id);
  /// `record.id` 0 takes the next free id. Returns the id. Throws Error{conflict} when it is taken.
  std::int64_t insert(const PipelineRecord& record);
  /// Status, times and version. False when `expected_version` is no longer current; nothing was written.
  bool replace(const PipelineRecord& next, std::int64_t expected_version);

 private:
  Tx& tx_;
};

class Jobs {
 public:
  explicit Jobs(Tx& tx) noexcept : tx_(tx) {}
  std::optional<JobRecord> find(std::int64_t id);
  /// Every attempt of a pipeline's jobs, by plan index and attempt.
  std::vector<JobRecord> of_pipeline(std::int64_t pipeline);
  /// Ids are the caller's, taken with Tx::take_ids("jobs", n).
  void insert(const JobRecord& record);
  /// What changes in a job's life, and version. False when `expected_version` is no longer current.
  bool replace(const JobRecord& next, std::int64_t expected_version);

 private:
  Tx& tx_;
};

/// Append only.
class Events {
 public:
  explicit Events(Tx& tx) noexcept : tx_(tx) {}
  void append(const EventRecord& event);
  std::vector<EventRecord> of_job(std::int64_t job);

 private:
  Tx& tx_;
};

class Outbox {
 public:
  explicit Outbox(Tx& tx) noexcept : tx_(tx) {}
  /// Fine when the same act is there already.
  void append(const OutboxRecord& effect);
  std::vector<OutboxRecord> all();
  /// Fine when it is gone already.
  void remove(const std::string& key);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
