#pragma once
// Repositories, one per aggregate: SQL written once for every dialect. Each lives as long as one transaction.
// Here are those of a pipeline's life; others have headers of their own.

#include <cstdint>
#include <optional>
#include <vector>

#include "runner/storage/outbox_table.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/records.h"
#include "runner/storage/store.h"

namespace runner::storage {

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

/// What happened to jobs; append only. All that happened, in one order, is event_table.h.
class Events {
 public:
  explicit Events(Tx& tx) noexcept : tx_(tx) {}
  void append(const EventRecord& event);
  std::vector<EventRecord> of_job(std::int64_t job);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
