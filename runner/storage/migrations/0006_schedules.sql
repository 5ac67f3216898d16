-- What a clock notes of schedules: since when the next run is reckoned, and how the last one went.
--
-- `last_pipeline` refers to no row: pipelines are removed before schedules are.

ALTER TABLE schedules ADD COLUMN reckoned_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN retry_at BIGINT;
ALTER TABLE schedules ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE schedules ADD COLUMN last_pipeline BIGINT;
