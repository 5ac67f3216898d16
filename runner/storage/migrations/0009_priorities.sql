-- What pipelines of a project get when nobody says another: which of them have jobs started first.

ALTER TABLE projects ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
