-- What every contestant keeps; the bench makes it before the first of them connects.
CREATE TABLE sent (
  id bigserial PRIMARY KEY,
  fingerprint bytea NOT NULL UNIQUE,
  path text NOT NULL,
  contact text NOT NULL,
  input jsonb NOT NULL,
  outcome text,
  contact_id bigint,
  answered_at timestamptz
);
