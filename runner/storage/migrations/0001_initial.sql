-- Times are milliseconds since 1970 UTC, flags 0 or 1, enumerations text. Ids come from `sequences`, so that the
-- same statements work in every dialect.

CREATE TABLE sequences (
  name TEXT NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);

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
  finished_at BIGINT
);

-- One row per attempt; the newest one counts.
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

-- What happened to a job, one row per change; never altered.
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

-- Acts that were decided and may not have been done yet. Doing one twice is harmless.
CREATE TABLE outbox (
  effect_key TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  job_id BIGINT NOT NULL REFERENCES jobs (id),
  payload TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
