-- What a server remembers: projects and who may do what with them, what starts pipelines, what is still to be
-- done, and what happened.
--
-- BYTEA holds sealed values (sealer.h); SQLite knows no such type and keeps bytes as they are.

-- Local runs make these tables too, in memory and each time. So the changes of old ones come early: SQLite reads the
-- whole schema again after each, and there is little of it yet.

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

-- Without a project: a local run.
ALTER TABLE pipelines ADD COLUMN project_id BIGINT REFERENCES projects (id);
ALTER TABLE pipelines ADD COLUMN iid BIGINT;
ALTER TABLE pipelines ADD COLUMN before_sha TEXT NOT NULL DEFAULT '';
ALTER TABLE pipelines ADD COLUMN once_key TEXT;
ALTER TABLE pipelines ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pipelines ADD COLUMN started_by TEXT NOT NULL DEFAULT '';

-- In place of `outbox`: acts need not be of a job, and it is counted how often one was tried. Under another name, as
-- SQLite can neither take a NOT NULL away nor rename a table at less cost than all else here together.
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
INSERT INTO effects (effect_key, kind, job_id, payload, created_at, attempts, next_attempt_at, last_error)
  SELECT effect_key, kind, job_id, payload, created_at, 0, created_at, '' FROM outbox;
DROP TABLE outbox;
CREATE INDEX effects_due ON effects (kind, next_attempt_at);
CREATE INDEX effects_by_job ON effects (job_id);

INSERT INTO sequences (name, value) VALUES
  ('projects', 0), ('credentials', 0), ('deliveries', 0), ('schedules', 0), ('users', 0), ('tokens', 0),
  ('events', 0);

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
CREATE INDEX deliveries_by_project ON deliveries (project_id, id);
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
