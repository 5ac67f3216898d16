-- How a resource group of a project hands itself on, where somebody has said so.

CREATE TABLE resource_groups (
  project_id BIGINT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  mode TEXT NOT NULL,
  PRIMARY KEY (project_id, name)
);
