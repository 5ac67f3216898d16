-- What protections of environments call group:NAME. A group is its members, and there when it has one.

CREATE TABLE user_groups (
  user_id BIGINT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  PRIMARY KEY (user_id, name)
);
