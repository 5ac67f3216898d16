-- Where a repository is at home: which forge is told of its commits, and whose merge requests are looked at.

ALTER TABLE projects ADD COLUMN forge TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN forge_api TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN forge_repository TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN merge_requests BIGINT NOT NULL DEFAULT 0;
-- Those that were there when it was switched on are known.
ALTER TABLE projects ADD COLUMN merge_requests_noted BIGINT NOT NULL DEFAULT 0;

-- How it went when a forge was told the last times. Apart, as it changes often and the versions of projects are for people.
CREATE TABLE status_reports (
  project_id BIGINT NOT NULL PRIMARY KEY REFERENCES projects (id),
  delivered_at BIGINT,
  failed_at BIGINT,
  failure TEXT NOT NULL
);
