#pragma once
// What the event log says of pipelines and jobs. Pure.

#include "runner/storage/event_table.h"
#include "runner/storage/records.h"

namespace runner::engine {

/// "job.running", with its name, stage, attempt, and how it ended.
storage::LogRecord event_of(const storage::PipelineRecord& pipeline, const storage::JobRecord& job,
                            TimePoint at);
/// "pipeline.running", with its ref and commit.
storage::LogRecord event_of(const storage::PipelineRecord& pipeline, TimePoint at);

}  // namespace runner::engine
