-- What jobs with the objective rag-sequence have learned about questions, by the SHA-256 of its content. The metrics of an adapter's version
-- name the one that goes with it.
CREATE TABLE query_adapters (
    digest     text        PRIMARY KEY,
    content    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
