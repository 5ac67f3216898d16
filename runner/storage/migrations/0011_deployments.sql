-- Where releases go, what was put there and how far it got. Texts hold no secrets.

CREATE TABLE environments (
  id BIGINT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  protection TEXT NOT NULL,
  version BIGINT NOT NULL,
  -- The highest token ever given; and the deployment that may change what runs, if there is one.
  fence BIGINT NOT NULL,
  holder BIGINT,
  -- The deployment whose release runs.
  current_deployment BIGINT,
  created_at BIGINT NOT NULL,
  UNIQUE (project, name)
);

CREATE TABLE deployments (
  id BIGINT NOT NULL PRIMARY KEY,
  environment_id BIGINT NOT NULL REFERENCES environments (id),
  -- In the order of their making; those that wait are served by it.
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  state_since BIGINT NOT NULL,
  version BIGINT NOT NULL,
  fence BIGINT NOT NULL,
  pipeline BIGINT,
  job TEXT NOT NULL,
  ref TEXT NOT NULL,
  sha TEXT NOT NULL,
  triggered_by TEXT NOT NULL,
  release TEXT NOT NULL,
  plan TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  base BIGINT,
  -- What ran before the first effect; empty until it is known.
  snapshot TEXT NOT NULL,
  -- Of a person, to the process that carries it out: pause, resume, promote, abort.
  request TEXT NOT NULL,
  reason TEXT NOT NULL,
  forced TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  locked_at BIGINT,
  finished_at BIGINT,
  UNIQUE (environment_id, number)
);
CREATE INDEX deployments_by_state ON deployments (environment_id, state);
CREATE INDEX deployments_by_pipeline ON deployments (pipeline, job);

-- The journal: a row is written before something is done, and completed after it.
CREATE TABLE deployment_steps (
  deployment_id BIGINT NOT NULL REFERENCES deployments (id),
  part TEXT NOT NULL,
  n BIGINT NOT NULL,
  unit TEXT NOT NULL,
  slot TEXT NOT NULL,
  action TEXT NOT NULL,
  fence BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  begun_at BIGINT NOT NULL,
  done_at BIGINT,
  result TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (deployment_id, part, n, unit, slot)
);

CREATE TABLE approvals (
  deployment_id BIGINT NOT NULL REFERENCES deployments (id),
  person TEXT NOT NULL,
  decision TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  comment TEXT NOT NULL,
  method TEXT NOT NULL,
  decided_at BIGINT NOT NULL,
  PRIMARY KEY (deployment_id, person)
);

INSERT INTO sequences (name, value) VALUES ('environments', 0), ('deployments', 0);
