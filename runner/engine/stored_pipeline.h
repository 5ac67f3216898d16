#pragma once
// Pipelines between two engines: what the store has of one, for the engine that goes on with it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runner/engine/engine.h"
#include "runner/engine/outcome_text.h"
#include "runner/storage/records.h"

namespace runner::engine {

/// A pipeline as an earlier engine left it in the store.
struct StoredPipeline {
  PipelineRequest request;
  storage::PipelineRecord record;
  std::vector<storage::JobRecord> attempts;    // by plan index and attempt
  std::map<std::int64_t, JobResult> results;   // by attempt
  std::vector<storage::OutboxRecord> effects;  // of its jobs: decided, perhaps not done
};

/// Reads all but the request, which only its maker can bring back. Throws Error{not_found} when there is no
/// such pipeline.
StoredPipeline load_pipeline(storage::Tx& tx, std::int64_t pipeline, const FindEntry& find);

/// Its attempts that the host will be asked for: those that run, and those whose archives are not there yet.
std::vector<std::int64_t> attempts_at_host(const StoredPipeline& stored);

}  // namespace runner::engine
