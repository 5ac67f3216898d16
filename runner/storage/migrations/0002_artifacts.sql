-- What jobs left for people: archives on disk. A row without its file is of one that was lost; rows go with
-- their files. Not bound to `pipelines`: a local run keeps its pipeline in memory only.

INSERT INTO sequences (name, value) VALUES ('artifacts', 0);

CREATE TABLE artifacts (
  id BIGINT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL,
  run BIGINT NOT NULL,
  ref TEXT NOT NULL,
  sha TEXT NOT NULL,
  job TEXT NOT NULL,
  job_status TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  format TEXT NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  files BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  expose_as TEXT NOT NULL,
  access TEXT NOT NULL
);

CREATE INDEX artifacts_by_run ON artifacts (project, run);
CREATE INDEX artifacts_by_digest ON artifacts (sha256);
