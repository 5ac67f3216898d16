-- Archives that a server keeps for its jobs. Not the rows of `artifacts`, which tell of local runs. A file goes when no
-- row names it any more.

CREATE TABLE job_archives (
  job_id BIGINT NOT NULL REFERENCES jobs (id),
  kind TEXT NOT NULL,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  pipeline_id BIGINT NOT NULL REFERENCES pipelines (id),
  ref TEXT NOT NULL,
  job TEXT NOT NULL,
  success BIGINT NOT NULL,
  path TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (job_id, kind)
);
CREATE INDEX job_archives_by_path ON job_archives (path);
CREATE INDEX job_archives_by_expiry ON job_archives (expires_at);
CREATE INDEX job_archives_by_job ON job_archives (project_id, ref, job, pipeline_id);
CREATE INDEX job_archives_by_pipeline ON job_archives (pipeline_id);
