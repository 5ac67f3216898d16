// Attempts of jobs: shown, played, run again, canceled.
#include "runner/api/audit.h"
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"
#include "runner/storage/tables.h"

namespace runner::api {
namespace {

using pipelines::JobStatus;

/// The job, when it is the newest attempt of it. Throws Refusal: 404, 409.
storage::JobRecord newest_attempt(storage::Tx& tx, std::int64_t id) {
  storage::JobRecord job = get_job(tx, id);
  for (const auto& other : storage::Jobs(tx).of_pipeline(job.pipeline)) {
    if (other.plan_index == job.plan_index && other.attempt > job.attempt)
      refuse(409, "job " + std::to_string(id) + " was tried again; its newest attempt is job " +
                      std::to_string(other.id));
  }
  return job;
}

[[noreturn]] void refuse_status(const storage::JobRecord& job, const char* wanted) {
  refuse(409, "job " + std::to_string(job.id) + " is " + in_quotes(to_string(job.status)) + "; " + wanted);
}

storage::JobRecord job_of(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "job");
  storage::JobRecord job;
  context.parts.store.read([&](storage::Tx& tx) { job = newest_attempt(tx, id); });
  return job;
}

void write_down_job(Context& context, const Call& call, const storage::JobRecord& job, const char* action) {
  context.parts.store.write([&](storage::Tx& tx) {
    write_down(context, tx, call.caller,
               {.action = action,
                .object = "job " + std::to_string(job.id) + " (" + job.name + ")",
                .project = get_pipeline(tx, job.pipeline).project});
  });
}

http::Response answer(Context& context, int status, std::int64_t id) {
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = job_json(tx, get_job(tx, id)); });
  return json_response(status, json);
}

}  // namespace

http::Response show_job(Context& context, const Call& call) {
  return answer(context, 200, id_of(call, "job"));
}

http::Response play_job(Context& context, const Call& call) {
  const storage::JobRecord job = job_of(context, call);
  if (job.status != JobStatus::manual && job.status != JobStatus::scheduled && !is_completed(job.status))
    refuse_status(job, "only one that waits for a person or a time, or has ended, can be played");
  write_down_job(context, call, job, "job.played");
  context.parts.actions.play_job(job.pipeline, job.plan_index);
  return answer(context, 202, job.id);
}

http::Response retry_job(Context& context, const Call& call) {
  const storage::JobRecord job = job_of(context, call);
  if (!is_completed(job.status)) refuse_status(job, "only one that has ended can be run again");
  write_down_job(context, call, job, "job.retried");
  context.parts.actions.play_job(job.pipeline, job.plan_index);
  return answer(context, 202, job.id);
}

http::Response cancel_job(Context& context, const Call& call) {
  const storage::JobRecord job = job_of(context, call);
  if (is_completed(job.status)) refuse_status(job, "there is nothing to cancel");
  write_down_job(context, call, job, "job.canceled");
  context.parts.actions.cancel_job(job.pipeline, job.plan_index);
  return answer(context, 202, job.id);
}

}  // namespace runner::api
