-- What a server remembers: projects and who may do what with them, what starts pipelines, what is still to be
-- done, and what happened.
--
-- BYTEA holds sealed values (sealer.h); SQLite knows no such type and keeps bytes as they are.

INSERT INTO sequences (name, value) VALUES
  ('projects', 0), ('credentials', 0), ('deliveries', 0), ('schedules', 0), ('users', 0), ('tokens', 0),
  ('events', 0);

CREATE TABLE projects (
  id BIGINT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL,
  branches TEXT NOT NULL,
  tags TEXT NOT NULL,
  pipeline_file TEXT NOT NULL,
  poll_interval_ms BIGINT NOT NULL,
  paused BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  next_iid BIGINT NOT NULL
);

CREATE TABLE credentials (
  id BIGINT NOT NULL PRIMARY KEY,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  kind TEXT NOT NULL,
  username TEXT NOT NULL,
  secret BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX credentials_by_project ON credentials (project_id, id);

-- What a repository's refs pointed to when they were last looked at.
CREATE TABLE ref_heads (
  project_id BIGINT NOT NULL REFERENCES projects (id),
  ref TEXT NOT NULL,
  sha TEXT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (project_id, ref)
);

-- Without a project: a local run.
ALTER TABLE pipelines ADD COLUMN project_id BIGINT REFERENCES projects (id);
ALTER TABLE pipelines ADD COLUMN iid BIGINT;
ALTER TABLE pipelines ADD COLUMN before_sha TEXT NOT NULL DEFAULT '';
ALTER TABLE pipelines ADD COLUMN once_key TEXT;
ALTER TABLE pipelines ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pipelines ADD COLUMN started_by TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX pipelines_by_iid ON pipelines (project_id, iid);
CREATE UNIQUE INDEX pipelines_by_once_key ON pipelines (once_key);
CREATE INDEX pipelines_by_project ON pipelines (project_id, id);
CREATE INDEX pipelines_by_ref ON pipelines (project_id, ref, id);
CREATE INDEX pipelines_unfinished ON pipelines (id)
  WHERE status NOT IN ('success', 'failed', 'canceled', 'skipped');

-- Not columns of `pipelines`: a plan may be megabytes, and each change of a status would write it anew.
CREATE TABLE pipeline_plans (
  pipeline_id BIGINT NOT NULL PRIMARY KEY REFERENCES pipelines (id),
  plan BYTEA NOT NULL,
  facts BYTEA NOT NULL
);

CREATE TABLE deliveries (
  id BIGINT NOT NULL PRIMARY KEY,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  forge TEXT NOT NULL,
  event TEXT NOT NULL,
  delivery_key TEXT NOT NULL,
  state TEXT NOT NULL,
  hint TEXT NOT NULL,
  detail TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  done_at BIGINT,
  UNIQUE (project_id, delivery_key)
);
CREATE INDEX deliveries_pending ON deliveries (id) WHERE state = 'pending';
CREATE INDEX deliveries_by_time ON deliveries (received_at);

CREATE TABLE schedules (
  id BIGINT NOT NULL PRIMARY KEY,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  description TEXT NOT NULL,
  cron TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  ref TEXT NOT NULL,
  variables BYTEA NOT NULL,
  active BIGINT NOT NULL,
  owner TEXT NOT NULL,
  next_run_at BIGINT,
  last_run_at BIGINT,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX schedules_by_project ON schedules (project_id, id);
CREATE INDEX schedules_due ON schedules (next_run_at, id) WHERE active = 1;

CREATE TABLE users (
  id BIGINT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT
);

-- `hash` is the SHA-256 of a token in hex; the token itself is nowhere.
CREATE TABLE tokens (
  id BIGINT NOT NULL PRIMARY KEY,
  user_id BIGINT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX tokens_by_user ON tokens (user_id, id);

-- The outbox takes acts that are not of a job too, and counts how often one was tried. Made anew, because SQLite
-- cannot take a NOT NULL away.
ALTER TABLE outbox RENAME TO outbox_of_jobs;
CREATE TABLE outbox (
  effect_key TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  job_id BIGINT REFERENCES jobs (id),
  payload TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  last_error TEXT NOT NULL
);
INSERT INTO outbox (effect_key, kind, job_id, payload, created_at, attempts, next_attempt_at, last_error)
  SELECT effect_key, kind, job_id, payload, created_at, 0, created_at, '' FROM outbox_of_jobs;
DROP TABLE outbox_of_jobs;
CREATE INDEX outbox_due ON outbox (kind, next_attempt_at);
CREATE INDEX outbox_by_job ON outbox (job_id);

-- Everything that happened, in one order; never altered. Not bound to other tables: it outlives what it tells of.
CREATE TABLE events (
  seq BIGINT NOT NULL PRIMARY KEY,
  project_id BIGINT,
  pipeline_id BIGINT,
  job_id BIGINT,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  happened_at BIGINT NOT NULL
);
CREATE INDEX events_by_project ON events (project_id, seq);
CREATE INDEX events_by_pipeline ON events (pipeline_id, seq);
