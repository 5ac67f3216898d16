#include "runner/api/routes.h"

#include <array>

#include "runner/triggers/webhook.h"

namespace runner::api {
namespace {

constexpr std::string_view kEvents = "text/event-stream";
constexpr std::uint64_t kSmall = 4U << 10U;    // of a body that nobody reads
constexpr std::uint64_t kValue = 512U << 10U;  // of 64 KiB, each byte of which JSON may escape
constexpr std::string_view kPage = "limit,cursor";
constexpr std::string_view kVariable = "/api/v1/projects/{name}/variables/{key}";

constexpr std::array kRoutes = {
    ApiRoute{"GET", "/api/v1/version", "get_version", Access::open, show_version, "What runs here", 200, "",
             "Version"},
    ApiRoute{"GET", "/api/v1/openapi.json", "get_openapi", Access::open, show_document, "This document", 200,
             "", "Document"},

    ApiRoute{"GET", "/api/v1/projects", "list_projects", Access::monitor, list_projects,
             "All projects, by name", 200, "", "[Project]", kPage},
    ApiRoute{"POST", "/api/v1/projects", "create_project", Access::manage_roles, add_project,
             "Adds a project", 201, "NewProject", "Project"},
    ApiRoute{"GET", "/api/v1/projects/{name}", "get_project", Access::monitor, show_project, "One project",
             200, "", "Project"},
    ApiRoute{"PATCH", "/api/v1/projects/{name}", "update_project", Access::manage_roles, change_project,
             "Changes what is given; null or \"\" removes a credential", 200, "ProjectChange", "Project"},
    ApiRoute{"DELETE", "/api/v1/projects/{name}", "delete_project", Access::manage_roles, remove_project,
             "Removes a project with its pipelines; 409 while one of them is unfinished", 204, "", ""},
    ApiRoute{"POST", "/api/v1/projects/{name}/test", "test_project", Access::manage_roles, test_project,
             "Asks the repository whether it can be reached", 200, "", "Reach"},
    ApiRoute{"GET", "/api/v1/projects/{name}/resource_groups", "list_resource_groups", Access::monitor,
             list_resource_groups, "Resource groups whose process mode was chosen", 200, "",
             "[ResourceGroup]"},
    ApiRoute{"PUT", "/api/v1/projects/{name}/resource_groups/{group}", "update_resource_group",
             Access::manage_roles, change_resource_group, "Chooses the process mode of a resource group", 200,
             "ResourceGroupChange", "ResourceGroup"},

    ApiRoute{"GET", "/api/v1/projects/{name}/pipelines", "list_pipelines", Access::monitor, list_pipelines,
             "Pipelines of a project, newest first", 200, "", "[Pipeline]", "limit,cursor,ref,status,source"},
    ApiRoute{"POST", "/api/v1/projects/{name}/pipelines", "start_pipeline", Access::deploy, start_pipeline,
             "Starts a pipeline on a branch or tag; without one on the default branch. 403 for a priority "
             "above that of the project without the role admin",
             201, "NewPipeline", "Pipeline"},
    ApiRoute{"GET", "/api/v1/pipelines/{id}", "get_pipeline", Access::monitor, show_pipeline,
             "A pipeline with its jobs, every attempt of them", 200, "", "PipelineWithJobs"},
    ApiRoute{"POST", "/api/v1/pipelines/{id}/cancel", "cancel_pipeline", Access::deploy, cancel_pipeline,
             "Cancels what has not ended", 202, "", "Pipeline"},
    ApiRoute{"POST", "/api/v1/pipelines/{id}/retry", "retry_pipeline", Access::deploy, retry_pipeline,
             "Runs jobs that failed or were canceled again", 202, "", "Pipeline"},

    ApiRoute{"GET", "/api/v1/jobs/{id}", "get_job", Access::monitor, show_job, "One attempt of a job", 200,
             "", "Job"},
    ApiRoute{"GET", "/api/v1/jobs/{id}/log", "get_log", Access::view_logs, show_log,
             "The log so far; parts of it by Range", 200, "", "text/plain"},
    ApiRoute{
        "GET", "/api/v1/jobs/{id}/log/follow", "follow_log", Access::view_logs, follow_log,
        "The log as it grows: events 'log' and, at last, 'end'; Last-Event-ID is the offset to go on from",
        200, "", kEvents},
    ApiRoute{"POST", "/api/v1/jobs/{id}/play", "play_job", Access::deploy, play_job,
             "Starts a job that waits for a person or a time", 202, "", "Job"},
    ApiRoute{"POST", "/api/v1/jobs/{id}/retry", "retry_job", Access::deploy, retry_job,
             "Runs a job that has ended once more, as a new attempt", 202, "", "Job"},
    ApiRoute{"POST", "/api/v1/jobs/{id}/cancel", "cancel_job", Access::deploy, cancel_job,
             "Cancels a job that has not ended", 202, "", "Job"},
    ApiRoute{"GET", "/api/v1/jobs/{id}/artifacts", "list_artifacts", Access::monitor, list_artifacts,
             "The archives that an attempt left", 200, "", "[Artifact]"},
    ApiRoute{"GET", "/api/v1/jobs/{id}/artifacts/{kind}", "get_artifact", Access::monitor, download_artifacts,
             "An archive, 'archive' or 'reports'; parts of it by Range", 200, "", "application/octet-stream"},

    ApiRoute{"GET", "/api/v1/projects/{name}/schedules", "list_schedules", Access::monitor, list_schedules,
             "Schedules of a project, in the order they were added", 200, "", "[Schedule]", kPage},
    ApiRoute{"POST", "/api/v1/projects/{name}/schedules", "create_schedule", Access::deploy, add_schedule,
             "Adds a schedule, of which the caller is the owner", 201, "NewSchedule", "Schedule"},
    ApiRoute{"GET", "/api/v1/schedules/{id}", "get_schedule", Access::monitor, show_schedule,
             "One schedule; of its variables the names", 200, "", "Schedule"},
    ApiRoute{
        "PATCH", "/api/v1/schedules/{id}", "update_schedule", Access::deploy, change_schedule,
        "Changes what is given; one of others needs more rights; 409 unless its version is the one given",
        200, "ScheduleChange", "Schedule"},
    ApiRoute{"DELETE", "/api/v1/schedules/{id}", "delete_schedule", Access::deploy, remove_schedule,
             "Removes a schedule; one of others needs more rights", 204, "", ""},
    ApiRoute{"POST", "/api/v1/schedules/{id}/play", "play_schedule", Access::deploy, play_schedule,
             "Makes its pipeline now, beside its times", 201, "", "Pipeline"},

    ApiRoute{"GET", "/api/v1/projects/{name}/variables", "list_variables", Access::deploy, list_variables,
             "Variables that the jobs of a project are given, by key; never their values", 200, "",
             "[Variable]", kPage},
    ApiRoute{"POST", "/api/v1/projects/{name}/variables", "create_variable", Access::deploy, add_variable,
             "Adds a variable; 409 when there is one of this key and scope. Nobody is shown its value again",
             201, "NewVariable", "Variable", "", kValue},
    ApiRoute{"GET", kVariable, "get_variable", Access::deploy, show_variable,
             "One variable, without its value; 409 when there are several of the key and no scope is said",
             200, "", "Variable", "environment_scope"},
    ApiRoute{"PUT", kVariable, "update_variable", Access::deploy, change_variable,
             "Changes what is given, or makes it; 409 unless its version is the one given", 200,
             "VariableChange", "Variable", "environment_scope", kValue},
    ApiRoute{"DELETE", kVariable, "delete_variable", Access::deploy, remove_variable, "Removes a variable",
             204, "", "", "environment_scope"},

    ApiRoute{"GET", "/api/v1/projects/{name}/environments", "list_environments", Access::monitor,
             list_environments, "Environments of a project, by name", 200, "", "[Environment]", kPage},
    ApiRoute{"GET", "/api/v1/projects/{name}/environments/{environment}", "get_environment", Access::monitor,
             show_environment, "One environment: what runs there, and its protection", 200, "",
             "Environment"},
    ApiRoute{
        "PUT", "/api/v1/projects/{name}/environments/{environment}", "update_environment",
        Access::manage_roles, change_environment,
        "Sets the protection, of one that is not there yet, too; 409 unless its version is the one given",
        200, "EnvironmentChange", "Environment"},
    ApiRoute{"GET", "/api/v1/projects/{name}/environments/{environment}/deployments", "list_deployments",
             Access::monitor, list_deployments,
             "Deployments to an environment, newest first: those of numbers below 'before', in one 'state', "
             "or those 'waiting'",
             200, "", "[Deployment]", "limit,cursor,before,state"},
    ApiRoute{"GET", "/api/v1/deployments/{id}", "get_deployment", Access::monitor, show_deployment,
             "A deployment with what an approver needs to know", 200, "", "DeploymentDetail"},
    ApiRoute{"GET", "/api/v1/deployments/{id}/plan", "get_deployment_plan", Access::monitor,
             show_deployment_plan, "What it does or is going to do, step by step, and what a rollback undoes",
             200, "", "DeploymentPlan"},
    ApiRoute{"GET", "/api/v1/deployments/{id}/diff", "get_deployment_diff", Access::monitor,
             show_deployment_diff, "What it brings that what runs there has not", 200, "", "DeploymentDiff"},
    ApiRoute{"GET", "/api/v1/projects/{name}/environments/{environment}/diff", "compare_environments",
             Access::monitor, compare_environments,
             "What runs there and not in the environment 'other'; without that, and did not before", 200, "",
             "EnvironmentDiff", "other"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/approve", "approve_deployment", Access::deploy,
             approve_deployment,
             "Agrees to exactly what is to be deployed; 403 unless the protection lets the caller, 409 when "
             "it does not wait any more",
             200, "DeploymentDecision", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/reject", "reject_deployment", Access::deploy,
             reject_deployment, "Ends one that waits; there is no way back", 200, "DeploymentDecision",
             "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/start", "start_deployment", Access::deploy, start_deployment,
             "Starts one that waits for a person to do so", 200, "", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/cancel", "cancel_deployment", Access::deploy,
             cancel_deployment, "Cancels one that has not begun", 200, "", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/break-glass", "force_deployment", Access::rollback,
             force_deployment, "Past approvals and freezes, with a reason that stays with it for ever", 200,
             "BreakGlass", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/pause", "pause_deployment", Access::deploy, pause_deployment,
             "Holds one that is carried out before its next step", 200, "", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/resume", "resume_deployment", Access::deploy,
             resume_deployment, "Lets one that is paused go on", 200, "", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/promote", "promote_deployment", Access::deploy,
             promote_deployment, "Lets a canary that waits for a person take its next step", 200, "",
             "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/abort", "abort_deployment", Access::deploy, abort_deployment,
             "Ends one that is carried out: what has begun is rolled back", 200, "", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/deployments/{id}/resolve", "resolve_deployment", Access::deploy,
             resolve_deployment, "After a rollback that failed: a person has seen to it", 200,
             "DeploymentResolution", "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/projects/{name}/environments/{environment}/rollback", "roll_back_environment",
             Access::deploy, roll_back_environment,
             "Back to the release before, or to that of deployment number 'to'", 201, "EnvironmentRollback",
             "DeploymentDetail"},
    ApiRoute{"POST", "/api/v1/projects/{name}/environments/{environment}/unlock", "unlock_environment",
             Access::rollback, unlock_environment,
             "Takes an environment from the deployment that has it, by a newer fence", 200, "BreakGlass",
             "DeploymentDetail"},

    ApiRoute{"GET", "/api/v1/events", "follow_events", Access::monitor, follow_events,
             "What happens, as it happens; Last-Event-ID goes on from there, 'missed' says that some is gone",
             200, "", kEvents, "project,pipeline"},

    ApiRoute{
        "GET", "/api/v1/audit", "list_audit", Access::manage, list_audit,
        "Who did what, and was let or not, newest first or, by 'sort=asc', oldest first; 'action' is how it "
        "begins. Each record has the hash of the one before in its own",
        200, "", "[AuditRecord]", "limit,cursor,sort,actor,action,project,environment,result"},
    ApiRoute{"GET", "/api/v1/audit/checkpoint", "get_audit_checkpoint", Access::manage, make_audit_checkpoint,
             "Where the audit log stands, signed: kept elsewhere, it shows later when an end was cut off",
             200, "", "AuditCheckpoint"},

    ApiRoute{"GET", "/api/v1/keys", "list_data_keys", Access::keys, list_data_keys,
             "The keys that secrets are sealed with, and how many values need each", 200, "", "DataKeys"},
    ApiRoute{"POST", "/api/v1/keys/rotate", "change_data_key", Access::keys, change_data_key,
             "Makes a new data key, and begins to give it to all that is sealed; by the server's socket only",
             202, "", "DataKeys"},
    ApiRoute{"DELETE", "/api/v1/keys/{id}", "remove_data_key", Access::keys, remove_data_key,
             "Deletes a data key that nothing needs; by the server's socket only", 204, "", ""},

    ApiRoute{"GET", "/api/v1/users", "list_users", Access::manage_users, list_users, "All users, by name",
             200, "", "[User]", kPage},
    ApiRoute{"POST", "/api/v1/users", "create_user", Access::manage_users, add_user, "Adds a user", 201,
             "NewUser", "User"},
    ApiRoute{"PATCH", "/api/v1/users/{name}", "update_user", Access::manage, change_user,
             "Changes role, groups and grants, or disables", 200, "UserChange", "User"},
    ApiRoute{"GET", "/api/v1/roles", "list_roles", Access::known, list_roles,
             "All roles with their permissions, by name", 200, "", "[UserRole]", kPage},
    ApiRoute{"PUT", "/api/v1/roles/{name}", "update_role", Access::manage_roles, put_role,
             "Makes a role, or changes what it may; those that are always there stay", 200, "RolePermissions",
             "UserRole"},
    ApiRoute{"DELETE", "/api/v1/roles/{name}", "delete_role", Access::manage_roles, remove_role,
             "Removes a role; 409 while somebody has it", 204, "", ""},
    ApiRoute{"GET", "/api/v1/users/{name}/tokens", "list_tokens", Access::known, list_tokens,
             "Tokens of a user; those of others need the permission manage_users", 200, "", "[Token]", kPage},
    ApiRoute{"POST", "/api/v1/users/{name}/tokens", "create_token", Access::known, add_token,
             "Makes a token, which is shown this once; for others it needs the permission manage_users", 201,
             "NewToken", "MadeToken"},
    ApiRoute{"DELETE", "/api/v1/tokens/{id}", "revoke_token", Access::known, revoke_token,
             "Revokes a token; one of others needs more rights", 204, "", ""},

    ApiRoute{"POST", "/hooks/{project}", "receive_webhook", Access::signature, take_webhook,
             "Takes a webhook of any forge; 200 for one that came before", 202, "*/*", "Delivery", "",
             triggers::kLargestWebhook},

    ApiRoute{"GET", "/livez", "get_liveness", Access::open, show_liveness,
             "Whether the server gets on with its work: else it is to be started anew", 200, "", "text/plain",
             "exclude", kSmall, "exclude", true},
    ApiRoute{"GET", "/readyz", "get_readiness", Access::open, show_readiness,
             "Whether the server takes work; why not, for those on its machine", 200, "", "text/plain",
             "exclude", kSmall, "exclude", true},
    ApiRoute{"GET", "/healthz", "get_health", Access::open, show_health,
             "How the server is. All but the status is for those on its machine or with a token: the checks "
             "that do not pass, with 'verbose' all; 'exclude' leaves one out, and may come several times",
             200, "", "Health", "verbose,exclude", kSmall, "exclude", true, true},
    ApiRoute{"GET", "/metrics", "get_metrics", Access::open, show_metrics, "For Prometheus, in its text form",
             200, "", "text/plain"},
};

}  // namespace

std::span<const ApiRoute> api_routes() noexcept {
  return kRoutes;
}

}  // namespace runner::api
