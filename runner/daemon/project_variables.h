#pragma once
// Which variables of a project a pipeline, and which only a job that starts, is given. Blocks on the store.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipelines/facts.h"
#include "runner/base/clock.h"
#include "runner/engine/job_order.h"
#include "runner/storage/records.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct GivenVariables {
  std::vector<pipelines::Variable> variables;
  std::map<std::string, std::int64_t> secrets;  // the masked ones of them, and their versions
};

/// Those for all jobs, which rules see as well; protected ones only when the ref is, masked ones not when a
/// fork may have written what runs (so below, too). They are part of the pipeline from then on. Throws Error.
GivenVariables variables_of_pipeline(storage::Tx& tx, const storage::Sealer& sealer,
                                     const pipelines::PipelineFacts& facts);
/// That a pipeline was given secrets, in the audit log. In the transaction that makes it.
void note_given(storage::Tx& tx, const GivenVariables& given, const storage::PipelineRecord& pipeline);

/// Those for its environment, of several for one key the most specific: read when the job starts, so that
/// before somebody approved it they are nowhere but sealed in the store. Of a protected environment only jobs
/// get them that deploy there, and that its gate has let begin. Throws Error, also when the audit log cannot
/// be written: nobody gets a secret that is not written down.
std::vector<pipelines::Variable> variables_of_job(storage::Store& store, const storage::Sealer& sealer,
                                                  const engine::JobOrder& order, TimePoint now);

}  // namespace runner::daemon
