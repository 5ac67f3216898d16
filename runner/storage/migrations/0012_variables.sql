-- What people give the jobs of a project and do not write into its files: passwords, keys, certificates. The value is
-- sealed, bound to all that says who gets it; see variable_table.h.
--
-- `kind` is env_var or file. `scope` names the environments whose jobs get it; '*' alone: every job.

CREATE TABLE variables (
  id BIGINT PRIMARY KEY,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  kind TEXT NOT NULL,
  masked BIGINT NOT NULL,
  protected BIGINT NOT NULL,
  raw BIGINT NOT NULL,
  description TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  value BYTEA NOT NULL,
  UNIQUE (project_id, name, scope)
);

INSERT INTO sequences (name, value) VALUES ('variables', 0);
