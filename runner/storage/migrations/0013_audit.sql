-- Who did what, was let or not: each record has the hash of the one before in its own, so that one that is changed or
-- missing shows; see audit_chain.h. `record` is the whole of it, as it was hashed; the columns before are for finding it.

CREATE TABLE audit_log (
  seq BIGINT PRIMARY KEY,
  happened_at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  project TEXT NOT NULL,
  environment TEXT NOT NULL,
  result TEXT NOT NULL,
  record TEXT NOT NULL,
  hash TEXT NOT NULL
);

INSERT INTO sequences (name, value) VALUES ('audit', 0);
