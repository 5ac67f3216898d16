-- Times are milliseconds since 1970 UTC. Lists of texts are "LENGTH:TEXT" after one another.

CREATE TABLE layers (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,       -- the directory it was made as: new/NAME
  place TEXT NOT NULL UNIQUE,      -- where it is now, below the root
  digest TEXT UNIQUE,              -- null until hashed
  twin BIGINT NOT NULL DEFAULT 0,  -- 1: another layer has the same content and took its place
  files BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  disk BIGINT NOT NULL,
  hides TEXT NOT NULL,
  boot TEXT                        -- of the kernel that wrote it; null once it is known to be on disk
);

CREATE TABLE entries (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  space TEXT NOT NULL,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  family TEXT NOT NULL,
  inputs TEXT NOT NULL,
  origin TEXT NOT NULL,
  contents TEXT NOT NULL,
  saved_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  uses BIGINT NOT NULL,
  files BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  UNIQUE (space, scope, key)
);

CREATE INDEX entries_of_family ON entries (space, scope, family, saved_at);

-- The layers of an entry, 0 on top.
CREATE TABLE stacks (
  entry BIGINT NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
  position BIGINT NOT NULL,
  layer BIGINT NOT NULL REFERENCES layers (id),
  PRIMARY KEY (entry, position)
) WITHOUT ROWID;

CREATE INDEX stacks_by_layer ON stacks (layer);

-- Which processes work with a layer; a row counts while somebody locks holders/HOLDER.
CREATE TABLE uses (
  layer BIGINT NOT NULL REFERENCES layers (id),
  holder TEXT NOT NULL,
  PRIMARY KEY (layer, holder)
) WITHOUT ROWID;

CREATE INDEX uses_by_holder ON uses (holder);

CREATE TABLE evictions (
  space TEXT NOT NULL,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  at BIGINT NOT NULL,
  saved_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  PRIMARY KEY (space, scope, key)
) WITHOUT ROWID;
