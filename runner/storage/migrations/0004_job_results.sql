-- What is known of an attempt beside its row, as the engine wrote it.

CREATE TABLE job_results (
  job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs (id),
  content TEXT NOT NULL
);
