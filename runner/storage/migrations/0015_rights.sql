-- Roles that admins made, as the names of their permissions with blanks between, and what users were granted beside
-- their role: RIGHT, RIGHT@PROJECT or RIGHT@PROJECT/ENVIRONMENT.

CREATE TABLE roles (
  name TEXT PRIMARY KEY,
  permissions TEXT NOT NULL
);

CREATE TABLE user_grants (
  user_id BIGINT NOT NULL REFERENCES users (id),
  grant_text TEXT NOT NULL,
  PRIMARY KEY (user_id, grant_text)
);
