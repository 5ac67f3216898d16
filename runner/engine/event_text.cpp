#include "runner/engine/event_text.h"

#include <nlohmann/json.hpp>
#include <string>

namespace runner::engine {
namespace {

using nlohmann::json;

/// For people and programs that look: what is no UTF-8 is replaced.
std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

storage::LogRecord event_of(const storage::PipelineRecord& pipeline, const storage::JobRecord& job,
                            TimePoint at) {
  json payload{{"project", pipeline.project},
               {"pipeline", pipeline.id},
               {"job", job.id},
               {"name", job.name},
               {"stage", job.stage},
               {"status", std::string(to_string(job.status))},
               {"attempt", job.attempt},
               {"allow_failure", job.allow_failure}};
  if (job.failure) payload["failure"] = std::string(pipelines::to_string(*job.failure));
  if (job.exit_code) payload["exit_code"] = *job.exit_code;
  if (!job.reason.empty()) payload["reason"] = job.reason;
  return {0,
          pipeline.project_id,
          pipeline.id,
          job.id,
          "job." + std::string(to_string(job.status)),
          text_of(payload),
          at};
}

storage::LogRecord event_of(const storage::PipelineRecord& pipeline, TimePoint at) {
  json payload{{"project", pipeline.project}, {"pipeline", pipeline.id},
               {"ref", pipeline.ref},         {"sha", pipeline.sha},
               {"source", pipeline.source},   {"status", std::string(to_string(pipeline.status))}};
  if (pipeline.iid) payload["iid"] = *pipeline.iid;
  return {0,
          pipeline.project_id,
          pipeline.id,
          {},
          "pipeline." + std::string(to_string(pipeline.status)),
          text_of(payload),
          at};
}

}  // namespace runner::engine
