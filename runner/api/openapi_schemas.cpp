#include "runner/api/openapi_schemas.h"

namespace runner::api {
namespace {

constexpr std::string_view kSchemas = R"json({
"Version": {"type": "object", "required": ["version", "commit"], "properties": {
  "version": {"type": "string"}, "commit": {"type": "string"}}},
"Document": {"type": "object", "required": ["openapi", "info", "paths", "components"]},
"Time": {"type": "string", "format": "date-time"},
"TimeOrNull": {"type": "string", "format": "date-time", "nullable": true},
"Priority": {"type": "integer", "minimum": -100, "maximum": 100,
  "description": "of jobs that wait for room those of the highest start first, within their project; one above that of the project needs the role admin"},
"Role": {"type": "string", "enum": ["viewer", "developer", "admin"]},
"Status": {"type": "string", "enum": ["created", "waiting_for_resource", "preparing", "pending", "running",
  "canceling", "manual", "scheduled", "success", "failed", "canceled", "skipped"]},
"Credential": {"type": "object", "required": ["kind", "username", "created_at"], "additionalProperties": false,
  "properties": {
    "kind": {"type": "string", "enum": ["token", "password", "ssh_key", "webhook_secret", "forge_token"]},
    "username": {"type": "string"}, "created_at": {"$ref": "#/components/schemas/Time"}}},
"Statuses": {"type": "object", "additionalProperties": false,
  "description": "whom commit statuses are told, and how that goes",
  "required": ["forge", "api", "repository", "waiting", "delivered_at", "failed_at", "failure"], "properties": {
    "forge": {"type": "string", "enum": ["none", "github", "gitlab", "gitea"]}, "api": {"type": "string"},
    "repository": {"type": "string"}, "waiting": {"type": "integer"},
    "delivered_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "failed_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "failure": {"type": "string", "description": "why the last one was not taken; empty when all went well since"}}},
"Project": {"type": "object", "additionalProperties": false,
  "required": ["name", "url", "branches", "tags", "pipeline_file", "poll_interval_seconds", "paused", "forge",
    "forge_api", "forge_repository", "merge_requests", "priority", "statuses", "created_at", "credentials",
    "last_look"],
  "properties": {
    "name": {"type": "string"}, "url": {"type": "string"},
    "branches": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "pipeline_file": {"type": "string"}, "poll_interval_seconds": {"type": "integer"},
    "paused": {"type": "boolean"},
    "forge": {"type": "string", "nullable": true, "enum": ["github", "gitlab", "gitea", "none", null]},
    "forge_api": {"type": "string", "nullable": true}, "forge_repository": {"type": "string", "nullable": true},
    "merge_requests": {"type": "boolean"}, "priority": {"$ref": "#/components/schemas/Priority"},
    "statuses": {"$ref": "#/components/schemas/Statuses"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "credentials": {"type": "array", "items": {"$ref": "#/components/schemas/Credential"}},
    "last_look": {"type": "object", "nullable": true, "required": ["ok", "at", "ok_at", "why"],
      "additionalProperties": false, "properties": {
        "ok": {"type": "boolean"}, "at": {"$ref": "#/components/schemas/Time"},
        "ok_at": {"$ref": "#/components/schemas/TimeOrNull"}, "why": {"type": "string"}}}}},
"NewProject": {"type": "object", "required": ["name", "url"], "additionalProperties": false, "properties": {
    "name": {"type": "string", "maxLength": 64}, "url": {"type": "string"},
    "branches": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "pipeline_file": {"type": "string"}, "poll_interval_seconds": {"type": "integer", "minimum": 0},
    "username": {"type": "string", "nullable": true}, "token": {"type": "string", "nullable": true},
    "ssh_key": {"type": "string", "nullable": true}, "webhook_secret": {"type": "string", "nullable": true},
    "forge": {"type": "string", "nullable": true, "enum": ["github", "gitlab", "gitea", "none", null]},
    "forge_api": {"type": "string", "nullable": true}, "forge_repository": {"type": "string", "nullable": true},
    "forge_token": {"type": "string", "nullable": true}, "merge_requests": {"type": "boolean"},
    "priority": {"$ref": "#/components/schemas/Priority"}}},
"ProjectChange": {"type": "object", "additionalProperties": false, "properties": {
    "url": {"type": "string"}, "paused": {"type": "boolean"},
    "branches": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "pipeline_file": {"type": "string"}, "poll_interval_seconds": {"type": "integer", "minimum": 0},
    "username": {"type": "string", "nullable": true}, "token": {"type": "string", "nullable": true},
    "ssh_key": {"type": "string", "nullable": true}, "webhook_secret": {"type": "string", "nullable": true},
    "forge": {"type": "string", "nullable": true, "enum": ["github", "gitlab", "gitea", "none", null]},
    "forge_api": {"type": "string", "nullable": true}, "forge_repository": {"type": "string", "nullable": true},
    "forge_token": {"type": "string", "nullable": true}, "merge_requests": {"type": "boolean"},
    "priority": {"$ref": "#/components/schemas/Priority"}}},
"Reach": {"type": "object", "required": ["ok", "why", "branches", "tags", "milliseconds", "statuses"],
  "additionalProperties": false, "properties": {
    "ok": {"type": "boolean"}, "why": {"type": "string"}, "branches": {"type": "integer"},
    "tags": {"type": "integer"}, "milliseconds": {"type": "integer"},
    "statuses": {"$ref": "#/components/schemas/Statuses"}}},
"Pipeline": {"type": "object", "additionalProperties": false,
  "required": ["id", "iid", "project", "name", "source", "ref", "sha", "before_sha", "status", "started_by",
    "priority", "created_at", "started_at", "finished_at"],
  "properties": {
    "id": {"type": "integer"}, "iid": {"type": "integer", "nullable": true}, "project": {"type": "string"},
    "name": {"type": "string"}, "source": {"type": "string"}, "ref": {"type": "string"},
    "sha": {"type": "string"}, "before_sha": {"type": "string"},
    "status": {"$ref": "#/components/schemas/Status"}, "started_by": {"type": "string"},
    "priority": {"$ref": "#/components/schemas/Priority"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "finished_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"PipelineWithJobs": {"type": "object", "additionalProperties": false,
  "required": ["id", "iid", "project", "name", "source", "ref", "sha", "before_sha", "status", "started_by",
    "priority", "created_at", "started_at", "finished_at", "message", "jobs"],
  "properties": {
    "id": {"type": "integer"}, "iid": {"type": "integer", "nullable": true}, "project": {"type": "string"},
    "name": {"type": "string"}, "source": {"type": "string"}, "ref": {"type": "string"},
    "sha": {"type": "string"}, "before_sha": {"type": "string"},
    "status": {"$ref": "#/components/schemas/Status"}, "started_by": {"type": "string"},
    "priority": {"$ref": "#/components/schemas/Priority"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "finished_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "message": {"type": "string", "description": "what is wrong with the pipeline file"},
    "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}}},
"NewPipeline": {"type": "object", "additionalProperties": false, "properties": {
    "ref": {"type": "string"}, "priority": {"$ref": "#/components/schemas/Priority"},
    "variables": {"type": "object", "additionalProperties": {"type": "string"}}}},
"Job": {"type": "object", "additionalProperties": false,
  "required": ["id", "pipeline", "project", "name", "stage", "status", "allow_failure", "attempt", "failure",
    "exit_code", "reason", "created_at", "queued_at", "started_at", "finished_at", "scheduled_at", "coverage",
    "tests_total", "tests_failed", "warnings", "environment_url", "artifacts"],
  "properties": {
    "id": {"type": "integer"}, "pipeline": {"type": "integer"}, "project": {"type": "string"},
    "name": {"type": "string"}, "stage": {"type": "string"},
    "status": {"$ref": "#/components/schemas/Status"}, "allow_failure": {"type": "boolean"},
    "attempt": {"type": "integer"}, "failure": {"type": "string", "nullable": true},
    "exit_code": {"type": "integer", "nullable": true}, "reason": {"type": "string"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "queued_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "finished_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "scheduled_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "coverage": {"type": "number", "nullable": true}, "tests_total": {"type": "integer", "nullable": true},
    "tests_failed": {"type": "integer", "nullable": true},
    "warnings": {"type": "array", "items": {"type": "string"}}, "environment_url": {"type": "string"},
    "artifacts": {"type": "boolean"}}},
"Artifact": {"type": "object", "required": ["name", "kind", "bytes", "files", "sha256"],
  "additionalProperties": false, "properties": {
    "name": {"type": "string"}, "kind": {"type": "string", "enum": ["archive", "reports"]},
    "bytes": {"type": "integer"}, "files": {"type": "integer"}, "sha256": {"type": "string"}}},
"User": {"type": "object", "required": ["name", "role", "disabled", "created_at", "disabled_at"],
  "additionalProperties": false, "properties": {
    "name": {"type": "string"}, "role": {"$ref": "#/components/schemas/Role"}, "disabled": {"type": "boolean"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "disabled_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"NewUser": {"type": "object", "required": ["name", "role"], "additionalProperties": false, "properties": {
    "name": {"type": "string", "maxLength": 64}, "role": {"$ref": "#/components/schemas/Role"}}},
"UserChange": {"type": "object", "additionalProperties": false, "properties": {
    "role": {"$ref": "#/components/schemas/Role"}, "disabled": {"type": "boolean"}}},
"Token": {"type": "object", "additionalProperties": false,
  "required": ["id", "user", "name", "role", "created_at", "expires_at", "last_used_at", "revoked_at"],
  "properties": {
    "id": {"type": "integer"}, "user": {"type": "string"}, "name": {"type": "string"},
    "role": {"$ref": "#/components/schemas/Role"}, "created_at": {"$ref": "#/components/schemas/Time"},
    "expires_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "last_used_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "revoked_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"MadeToken": {"type": "object", "additionalProperties": false,
  "required": ["id", "user", "name", "role", "created_at", "expires_at", "last_used_at", "revoked_at", "token"],
  "properties": {
    "id": {"type": "integer"}, "user": {"type": "string"}, "name": {"type": "string"},
    "role": {"$ref": "#/components/schemas/Role"}, "created_at": {"$ref": "#/components/schemas/Time"},
    "expires_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "last_used_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "revoked_at": {"$ref": "#/components/schemas/TimeOrNull"}, "token": {"type": "string"}}},
"NewToken": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
    "name": {"type": "string", "maxLength": 64}, "role": {"$ref": "#/components/schemas/Role"},
    "expires_in_days": {"type": "integer", "minimum": 1, "maximum": 3650}}},
"ProcessMode": {"type": "string", "enum": ["unordered", "oldest_first", "newest_first", "newest_ready_first"]},
"ResourceGroup": {"type": "object", "required": ["key", "process_mode"], "additionalProperties": false,
  "properties": {"key": {"type": "string"}, "process_mode": {"$ref": "#/components/schemas/ProcessMode"}}},
"ResourceGroupChange": {"type": "object", "required": ["process_mode"], "additionalProperties": false,
  "properties": {"process_mode": {"$ref": "#/components/schemas/ProcessMode"}}},
"Schedule": {"type": "object", "additionalProperties": false,
  "required": ["id", "project", "description", "cron", "timezone", "ref", "active", "owner", "variables",
    "next_run_at", "last_run_at", "last_pipeline", "last_error", "retry_at", "version", "created_at"],
  "properties": {
    "id": {"type": "integer"}, "project": {"type": "string"}, "description": {"type": "string"},
    "cron": {"type": "string"}, "timezone": {"type": "string"}, "ref": {"type": "string"},
    "active": {"type": "boolean"}, "owner": {"type": "string"},
    "variables": {"type": "array", "items": {"type": "string"}},
    "next_run_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "last_run_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "last_pipeline": {"type": "integer", "nullable": true}, "last_error": {"type": "string"},
    "retry_at": {"$ref": "#/components/schemas/TimeOrNull"}, "version": {"type": "integer"},
    "created_at": {"$ref": "#/components/schemas/Time"}}},
"NewSchedule": {"type": "object", "required": ["cron"], "additionalProperties": false, "properties": {
    "cron": {"type": "string"}, "timezone": {"type": "string"},
    "description": {"type": "string", "maxLength": 255}, "ref": {"type": "string"},
    "active": {"type": "boolean"},
    "variables": {"type": "object", "additionalProperties": {"type": "string"}}}},
"ScheduleChange": {"type": "object", "additionalProperties": false, "properties": {
    "cron": {"type": "string"}, "timezone": {"type": "string"},
    "description": {"type": "string", "maxLength": 255}, "ref": {"type": "string"},
    "active": {"type": "boolean"}, "version": {"type": "integer", "minimum": 0},
    "variables": {"type": "object", "additionalProperties": {"type": "string"}}}},
"Delivery": {"type": "object", "required": ["state", "forge", "event"], "additionalProperties": false,
  "properties": {
    "state": {"type": "string", "enum": ["stored", "known"]}, "forge": {"type": "string"},
    "event": {"type": "string", "enum": ["push", "tag", "merge_request", "ping", "other"]}}},
"Health": {"type": "object", "required": ["status"], "additionalProperties": false, "properties": {
    "status": {"type": "string", "enum": ["ok", "degraded", "unavailable"]},
    "live": {"type": "boolean"}, "ready": {"type": "boolean"}, "draining": {"type": "boolean"},
    "version": {"type": "string"}, "started_at": {"$ref": "#/components/schemas/Time"},
    "uptime_seconds": {"type": "number"}, "checked_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "checks": {"type": "object", "description": "by name",
      "additionalProperties": {"$ref": "#/components/schemas/HealthCheck"}}}},
"HealthCheck": {"type": "object", "required": ["status", "required_for"],
  "description": "what else is there depends on the check",
  "properties": {
    "status": {"type": "string", "enum": ["pass", "warn", "fail"]},
    "required_for": {"type": "string", "enum": ["live", "ready", "none"]},
    "output": {"type": "string", "description": "what is wrong"}}},
"Problem": {"type": "object", "required": ["type", "title", "status", "instance"], "properties": {
    "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
    "detail": {"type": "string"}, "instance": {"type": "string"},
    "errors": {"type": "array", "items": {"type": "object", "required": ["field", "message"], "properties": {
      "field": {"type": "string"}, "message": {"type": "string"}}}}}}
})json";

}  // namespace

std::string_view openapi_schemas() noexcept {
  return kSchemas;
}

}  // namespace runner::api
