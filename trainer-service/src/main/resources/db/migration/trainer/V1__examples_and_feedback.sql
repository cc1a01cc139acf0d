CREATE TABLE examples (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    question   text        NOT NULL,
    contexts   text[]      NOT NULL,
    answer     text        NOT NULL,
    answerable boolean     NOT NULL,
    source     text        NOT NULL CHECK (source IN ('import', 'topic', 'feedback')),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    CHECK (answer <> '' OR NOT answerable)
);

CREATE TABLE feedback (
    tenant           text        NOT NULL,
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    question         text        NOT NULL,
    answer           text        NOT NULL,
    rating           text        NOT NULL CHECK (rating IN ('up', 'down')),
    corrected_answer text,
    comment          text,
    citations        jsonb,
    provenance       jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE INDEX feedback_newest_first ON feedback (tenant, created_at DESC, id);

-- Read by the API already; written once training is built.
CREATE TABLE jobs (
    tenant     text        NOT NULL,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    state      text        NOT NULL,
    settings   jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE schedules (
    tenant   text  NOT NULL,
    name     text  NOT NULL,
    cron     text  NOT NULL,
    settings jsonb NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE adapters (
    tenant     text        NOT NULL,
    name       text        NOT NULL,
    digest     text        NOT NULL,
    base_model text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name, digest)
);
