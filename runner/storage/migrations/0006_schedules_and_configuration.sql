-- What a clock notes of schedules: since when the next run is reckoned, and how the last one went. And what is kept in a
-- configuration file.
--
-- `last_pipeline` refers to no row: pipelines are removed before schedules are.

ALTER TABLE schedules ADD COLUMN reckoned_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN retry_at BIGINT;
ALTER TABLE schedules ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE schedules ADD COLUMN last_pipeline BIGINT;

-- What a configuration file says, and so nobody else changes. `fields`: which of them, a line each.
CREATE TABLE configured (
  kind TEXT NOT NULL,
  object_id BIGINT NOT NULL,
  project_id BIGINT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  fields TEXT NOT NULL,
  PRIMARY KEY (kind, object_id)
);
