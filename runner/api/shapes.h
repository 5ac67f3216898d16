#pragma once
// Records as JSON, and how they are found by what a path names. Internal to this folder.

#include <string>
#include <vector>

#include "runner/api/context.h"
#include "runner/engine/outcome_text.h"
#include "runner/storage/project_table.h"

namespace runner::api {

/// All of these read in the transaction of the caller.
std::string project_json(const Context& context, storage::Tx& tx, const storage::ProjectRecord& project);
/// Whom its commits are told, and how that goes.
std::string statuses_json(storage::Tx& tx, const storage::ProjectRecord& project);
std::string pipeline_json(storage::Tx& tx, const storage::PipelineRecord& pipeline);
/// With "jobs": every attempt, by place in the plan.
std::string pipeline_with_jobs_json(storage::Tx& tx, const storage::PipelineRecord& pipeline);
std::string job_json(storage::Tx& tx, const storage::JobRecord& job);
/// What an attempt left; nothing before its end.
engine::JobResult result_of(storage::Tx& tx, const storage::JobRecord& job);

/// These throw Refusal (404).
storage::ProjectRecord get_project(storage::Tx& tx, const std::string& name);
storage::PipelineRecord get_pipeline(storage::Tx& tx, std::int64_t id);
storage::JobRecord get_job(storage::Tx& tx, std::int64_t id);

}  // namespace runner::api
