#pragma once
// Every route of the API, once: what answers it, who may use it, what goes in and comes out. Internal to this
// folder.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runner/api/access.h"
#include "runner/api/context.h"

namespace runner::api {

struct ApiRoute {
  std::string_view method, path;
  std::string_view name;  // of the operation
  Access access = Access::monitor;
  Handle handle = nullptr;
  std::string_view summary;
  int status = 200;  // when all is well
  /// A schema of openapi_schemas.cpp, a list of one ("[Project]"), or a media type; "" when there is none.
  std::string_view request, response;
  std::string_view query = {};  // names with commas between
  std::uint64_t body_limit = 256U << 10U;
  std::string_view repeatable = {};  // the name in `query` that may come several times
  bool fast = false;                 // see http::Route; 503 is an answer like the other one
  bool token_tells_more = false;     // of a fast one: who shows a token is looked up, and waits for that
};

std::span<const ApiRoute> api_routes() noexcept;
/// JSON text, made of the table and of the schemas.
std::string openapi_document(std::string_view version);

// The handlers, a file for each resource.
http::Response show_version(Context& context, const Call& call);
http::Response show_document(Context& context, const Call& call);

http::Response list_projects(Context& context, const Call& call);
http::Response add_project(Context& context, const Call& call);
http::Response show_project(Context& context, const Call& call);
http::Response change_project(Context& context, const Call& call);
http::Response remove_project(Context& context, const Call& call);
http::Response test_project(Context& context, const Call& call);

http::Response list_pipelines(Context& context, const Call& call);
http::Response start_pipeline(Context& context, const Call& call);
http::Response show_pipeline(Context& context, const Call& call);
http::Response cancel_pipeline(Context& context, const Call& call);
http::Response retry_pipeline(Context& context, const Call& call);

http::Response list_roles(Context& context, const Call& call);
http::Response put_role(Context& context, const Call& call);
http::Response remove_role(Context& context, const Call& call);

http::Response list_data_keys(Context& context, const Call& call);
http::Response change_data_key(Context& context, const Call& call);
http::Response remove_data_key(Context& context, const Call& call);

http::Response show_job(Context& context, const Call& call);
http::Response play_job(Context& context, const Call& call);
http::Response retry_job(Context& context, const Call& call);
http::Response cancel_job(Context& context, const Call& call);
http::Response show_log(Context& context, const Call& call);
http::Response follow_log(Context& context, const Call& call);
http::Response list_artifacts(Context& context, const Call& call);
http::Response download_artifacts(Context& context, const Call& call);

http::Response list_schedules(Context& context, const Call& call);
http::Response add_schedule(Context& context, const Call& call);
http::Response show_schedule(Context& context, const Call& call);
http::Response change_schedule(Context& context, const Call& call);
http::Response remove_schedule(Context& context, const Call& call);
http::Response play_schedule(Context& context, const Call& call);

http::Response list_variables(Context& context, const Call& call);
http::Response add_variable(Context& context, const Call& call);
http::Response show_variable(Context& context, const Call& call);
http::Response change_variable(Context& context, const Call& call);
http::Response remove_variable(Context& context, const Call& call);

http::Response pause_deployment(Context& context, const Call& call);
http::Response resume_deployment(Context& context, const Call& call);
http::Response promote_deployment(Context& context, const Call& call);
http::Response abort_deployment(Context& context, const Call& call);
http::Response resolve_deployment(Context& context, const Call& call);
http::Response roll_back_environment(Context& context, const Call& call);
http::Response unlock_environment(Context& context, const Call& call);
http::Response list_environments(Context& context, const Call& call);
http::Response show_environment(Context& context, const Call& call);
http::Response change_environment(Context& context, const Call& call);
http::Response list_deployments(Context& context, const Call& call);

http::Response show_deployment(Context& context, const Call& call);
http::Response show_deployment_plan(Context& context, const Call& call);
http::Response show_deployment_diff(Context& context, const Call& call);
http::Response compare_environments(Context& context, const Call& call);
http::Response approve_deployment(Context& context, const Call& call);
http::Response reject_deployment(Context& context, const Call& call);
http::Response start_deployment(Context& context, const Call& call);
http::Response cancel_deployment(Context& context, const Call& call);
http::Response force_deployment(Context& context, const Call& call);

http::Response follow_events(Context& context, const Call& call);

http::Response list_resource_groups(Context& context, const Call& call);
http::Response change_resource_group(Context& context, const Call& call);

http::Response list_audit(Context& context, const Call& call);
http::Response make_audit_checkpoint(Context& context, const Call& call);

http::Response list_users(Context& context, const Call& call);
http::Response add_user(Context& context, const Call& call);
http::Response change_user(Context& context, const Call& call);
http::Response list_tokens(Context& context, const Call& call);
http::Response add_token(Context& context, const Call& call);
http::Response revoke_token(Context& context, const Call& call);

/// Whether it is answered by what the store says of a token.
bool asks_with_token(const http::Request& request);
http::Response show_liveness(Context& context, const Call& call);
http::Response show_readiness(Context& context, const Call& call);
http::Response show_health(Context& context, const Call& call);
http::Response show_metrics(Context& context, const Call& call);

http::Response take_webhook(Context& context, const Call& call);

}  // namespace runner::api
