-- Nothing has written to it yet.
DROP TABLE adapters;

-- What each name stands for now. The truth, of which the topic adapter-registry is a copy.
CREATE TABLE adapters (
    tenant         text        NOT NULL, -- empty: serves all tenants
    name           text        NOT NULL,
    version        bigint      NOT NULL,
    digest         text        NOT NULL,
    previous       text[]      NOT NULL DEFAULT '{}', -- the newest first
    canary_digest  text,
    canary_percent integer     CHECK (canary_percent BETWEEN 1 AND 100),
    promoted       boolean     NOT NULL DEFAULT false,
    deleted        boolean     NOT NULL DEFAULT false, -- kept, so that versions go on rising
    published      boolean     NOT NULL DEFAULT false, -- whether the topic has this version
    note           text        NOT NULL,
    changed_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant, name),
    CHECK ((canary_digest IS NULL) = (canary_percent IS NULL)),
    CHECK (NOT (deleted AND promoted))
);

CREATE UNIQUE INDEX one_promoted_adapter ON adapters (tenant) WHERE promoted;
CREATE INDEX adapters_to_publish ON adapters (changed_at) WHERE NOT published;

CREATE TABLE adapter_versions (
    tenant      text        NOT NULL,
    name        text        NOT NULL,
    digest      text        NOT NULL,
    base_digest text        NOT NULL,
    bytes       bigint      NOT NULL,
    job_id      text,
    metrics     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, name, digest),
    FOREIGN KEY (tenant, name) REFERENCES adapters
);

CREATE INDEX adapter_versions_of_digest ON adapter_versions (digest);

CREATE TABLE adapter_replicas (
    replica     text        PRIMARY KEY,
    report      jsonb       NOT NULL,
    reported_at timestamptz NOT NULL
);
