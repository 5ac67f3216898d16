#include "runner/storage/local_schema.h"

namespace runner::storage {

// Whoever adds a migration of these tables changes this as well: a test compares the two. Columns that refer
// to a table that is not here refer to nothing.
std::string_view local_schema() noexcept {
  return R"sql(
CREATE TABLE sequences (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO sequences (name, value) VALUES ('pipelines', 0), ('jobs', 0);
CREATE TABLE pipelines (
  id BIGINT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  ref TEXT NOT NULL,
  sha TEXT NOT NULL,
  status TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  project_id BIGINT,
  iid BIGINT,
  before_sha TEXT NOT NULL DEFAULT '',
  once_key TEXT,
  priority BIGINT NOT NULL DEFAULT 0,
  started_by TEXT NOT NULL DEFAULT '',
  resource_groups BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX pipelines_by_once_key ON pipelines (once_key);
CREATE TABLE jobs (
  id BIGINT NOT NULL PRIMARY KEY,
  pipeline_id BIGINT NOT NULL REFERENCES pipelines (id),
  plan_index BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  name TEXT NOT NULL,
  stage TEXT NOT NULL,
  status TEXT NOT NULL,
  allow_failure BIGINT NOT NULL,
  failure TEXT,
  exit_code BIGINT,
  reason TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  scheduled_at BIGINT,
  queued_at BIGINT,
  started_at BIGINT,
  finished_at BIGINT,
  UNIQUE (pipeline_id, plan_index, attempt)
);
CREATE TABLE job_events (
  job_id BIGINT NOT NULL REFERENCES jobs (id),
  version BIGINT NOT NULL,
  kind TEXT NOT NULL,
  from_status TEXT NOT NULL,
  to_status TEXT NOT NULL,
  detail TEXT NOT NULL,
  happened_at BIGINT NOT NULL,
  PRIMARY KEY (job_id, version)
);
CREATE TABLE effects (
  effect_key TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  job_id BIGINT REFERENCES jobs (id),
  payload TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  last_error TEXT NOT NULL
);
)sql";
}

}  // namespace runner::storage
