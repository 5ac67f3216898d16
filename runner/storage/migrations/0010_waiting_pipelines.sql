-- Whether some job of a pipeline has a resource group. A server that starts need not read the others before there is
-- room for their jobs. Of those that were made before nobody knows.

ALTER TABLE pipelines ADD COLUMN resource_groups BIGINT NOT NULL DEFAULT 1;
