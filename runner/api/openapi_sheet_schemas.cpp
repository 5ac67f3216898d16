// The sheets of a deployment: what it does, and what it brings.
#include "runner/api/openapi_schemas.h"

namespace runner::api {
namespace {

constexpr std::string_view kSchemas = R"json(
"DeploymentPlan": {"type": "object", "additionalProperties": false,
  "required": ["id", "project", "environment", "number", "kind", "state", "state_since", "pipeline", "job", "ref",
    "sha", "triggered_by", "release", "reason", "forced", "created_at", "finished_at", "fingerprint",
    "carried_out_by", "why", "script", "outline", "before", "approvals"],
  "properties": {
    "id": {"type": "integer"}, "project": {"type": "string"}, "environment": {"type": "string"},
    "number": {"type": "integer", "description": "in its environment"},
    "kind": {"type": "string", "enum": ["deploy", "rollback", "job"]},
    "state": {"$ref": "#/components/schemas/DeploymentState"},
    "state_since": {"$ref": "#/components/schemas/Time"},
    "pipeline": {"type": "integer", "nullable": true}, "job": {"type": "string"}, "ref": {"type": "string"},
    "sha": {"type": "string"}, "triggered_by": {"type": "string"}, "release": {"type": "string"},
    "reason": {"type": "string", "description": "why it is in this state"},
    "forced": {"type": "string", "description": "who passed over the protection, and why; empty: nobody"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "finished_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "fingerprint": {"type": "string", "description": "of what is approved"},
    "carried_out_by": {"type": "string", "enum": ["deploy", "script", "unknown"],
      "description": "a block 'deploy', or the job's own script"},
    "why": {"type": "string", "description": "why there is no outline although there is a block; empty: all is well"},
    "script": {"type": "array", "items": {"type": "string"}},
    "outline": {"$ref": "#/components/schemas/DeploymentOutline"},
    "before": {"type": "object", "required": ["known_by", "deployment"], "additionalProperties": false,
      "description": "what is taken for what runs there: as it was seen, as the deployment before left it, or unknown",
      "properties": {"known_by": {"type": "string", "enum": ["seen", "deployment", "unknown", "nothing"]},
        "deployment": {"type": "integer", "nullable": true}}},
    "approvals": {"type": "object", "required": ["changed_since", "of_something_else", "void"],
      "additionalProperties": false, "properties": {
        "changed_since": {"type": "boolean", "description": "it is other than what somebody agreed to"},
        "of_something_else": {"type": "array", "items": {"type": "string"}},
        "void": {"type": "array", "items": {"type": "string"}}}}}},
"DeploymentOutline": {"type": "object", "nullable": true, "additionalProperties": false,
  "description": "made by the code that carries it out; values of variables that are secret are never in it",
  "required": ["target", "strategy", "balancer", "units", "slots", "first_release", "release", "steps", "rollback",
    "migration"],
  "properties": {
    "target": {"type": "string"}, "strategy": {"type": "string"}, "balancer": {"type": "string"},
    "units": {"type": "array", "items": {"type": "string"}},
    "slots": {"type": "boolean", "description": "each unit has two places"},
    "first_release": {"type": "boolean", "description": "nothing of ours runs there"},
    "release": {"type": "object", "required": ["image", "artifact", "config"], "additionalProperties": false,
      "properties": {"image": {"type": "string"}, "artifact": {"type": "string"},
        "config": {"type": "array", "items": {"type": "string"}}}},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/OutlineStep"}},
    "rollback": {"type": "object", "required": ["when", "steps", "cannot_undo"], "additionalProperties": false,
      "properties": {
        "when": {"type": "array", "items": {"type": "string"}, "description": "what it rolls back for by itself"},
        "steps": {"type": "array", "items": {"$ref": "#/components/schemas/OutlineStep"}},
        "cannot_undo": {"type": "array", "items": {"type": "string"}}}},
    "migration": {"type": "object", "nullable": true,
      "required": ["compatible", "idempotent", "list", "run", "down"], "additionalProperties": false,
      "properties": {"compatible": {"type": "boolean"}, "idempotent": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "string"}},
        "run": {"type": "array", "items": {"type": "string"}},
        "down": {"type": "array", "items": {"type": "string"}}}}}},
"OutlineStep": {"type": "object", "additionalProperties": false,
  "required": ["part", "n", "action", "places", "text"], "properties": {
    "part": {"type": "string"}, "n": {"type": "integer"}, "action": {"type": "string"},
    "places": {"type": "array", "items": {"$ref": "#/components/schemas/OutlinePlace"}},
    "text": {"type": "string", "description": "in words"},
    "commands": {"type": "array", "items": {"type": "string"}},
    "batch": {"type": "integer"}, "batches": {"type": "integer"},
    "weight": {"type": "integer", "description": "percent of the candidate from here on"},
    "seconds": {"type": "number", "description": "of a hold"},
    "servers": {"type": "array", "items": {"type": "object",
      "required": ["unit", "slot", "admission", "weight"], "additionalProperties": false, "properties": {
        "unit": {"type": "string"}, "slot": {"type": "string"}, "admission": {"type": "string"},
        "weight": {"type": "integer"}}}}}},
"OutlinePlace": {"type": "object", "required": ["unit", "slot"], "additionalProperties": false, "properties": {
    "unit": {"type": "string"}, "slot": {"type": "string"}}},
"DeploymentPoint": {"type": "object", "nullable": true, "additionalProperties": false,
  "required": ["id", "number", "environment", "state", "ref", "sha", "release", "triggered_by", "created_at",
    "finished_at"],
  "properties": {
    "id": {"type": "integer"}, "number": {"type": "integer"}, "environment": {"type": "string"},
    "state": {"$ref": "#/components/schemas/DeploymentState"}, "ref": {"type": "string"},
    "sha": {"type": "string"}, "release": {"type": "string"}, "triggered_by": {"type": "string"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "finished_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"CommitRange": {"type": "object", "nullable": true, "additionalProperties": false,
  "required": ["known", "why", "new", "new_total", "gone", "gone_total", "files_changed"], "properties": {
    "known": {"type": "boolean"}, "why": {"type": "string", "description": "why it is not known"},
    "new": {"type": "array", "items": {"$ref": "#/components/schemas/RangeCommit"},
      "description": "newest first, a hundred at most"},
    "new_total": {"type": "integer", "description": "counted up to 10000"},
    "gone": {"type": "array", "items": {"$ref": "#/components/schemas/RangeCommit"}},
    "gone_total": {"type": "integer"}, "files_changed": {"type": "integer"}}},
"RangeCommit": {"type": "object", "required": ["sha", "author", "subject", "at"], "additionalProperties": false,
  "properties": {"sha": {"type": "string"}, "author": {"type": "string"}, "subject": {"type": "string"},
    "at": {"$ref": "#/components/schemas/Time"}}},
"DeploymentDiff": {"type": "object", "additionalProperties": false,
  "required": ["project", "environment", "base", "candidate", "commits", "block", "inputs", "variables"],
  "properties": {
    "project": {"type": "string"}, "environment": {"type": "string"},
    "base": {"$ref": "#/components/schemas/DeploymentPoint"},
    "candidate": {"$ref": "#/components/schemas/DeploymentPoint"},
    "commits": {"$ref": "#/components/schemas/CommitRange"},
    "block": {"type": "array", "nullable": true, "description": "null: one of both has none",
      "items": {"type": "object", "required": ["key", "change", "before", "after"], "additionalProperties": false,
        "properties": {"key": {"type": "string"}, "change": {"$ref": "#/components/schemas/Change"},
          "before": {"type": "string", "nullable": true}, "after": {"type": "string", "nullable": true}}}},
    "inputs": {"$ref": "#/components/schemas/InputChanges"},
    "variables": {"type": "array", "nullable": true,
      "description": "those of the environment's jobs, without values; null: there is no base",
      "items": {"type": "object", "required": ["key", "environment_scope", "version", "change"],
        "additionalProperties": false, "properties": {
          "key": {"type": "string"}, "environment_scope": {"type": "string"}, "version": {"type": "integer"},
          "change": {"type": "string", "enum": ["added", "changed", "unchanged"]}}}}}},
"Change": {"type": "string", "enum": ["added", "changed", "removed"]},
"InputChanges": {"type": "array", "nullable": true,
  "description": "digests of what the jobs before left; null: it is not known of one of both",
  "items": {"type": "object", "required": ["what", "change", "before", "after"], "additionalProperties": false,
    "properties": {"what": {"type": "string"}, "change": {"$ref": "#/components/schemas/Change"},
      "before": {"type": "string", "nullable": true}, "after": {"type": "string", "nullable": true}}}},
"EnvironmentDiff": {"type": "object", "additionalProperties": false,
  "required": ["project", "environment", "other", "has", "has_not", "commits", "inputs"], "properties": {
    "project": {"type": "string"}, "environment": {"type": "string"},
    "other": {"type": "string", "nullable": true, "description": "null: what ran there before"},
    "has": {"$ref": "#/components/schemas/DeploymentPoint"},
    "has_not": {"$ref": "#/components/schemas/DeploymentPoint"},
    "commits": {"$ref": "#/components/schemas/CommitRange"},
    "inputs": {"$ref": "#/components/schemas/InputChanges"}}})json";

}  // namespace

std::string_view openapi_sheet_schemas() noexcept {
  return kSchemas;
}

}  // namespace runner::api
