-- Examples know which documents they rest on.
ALTER TABLE examples
    ADD COLUMN documents text[] NOT NULL DEFAULT '{}',
    ADD COLUMN cited     text[] NOT NULL DEFAULT '{}';

CREATE INDEX examples_by_document ON examples USING gin ((documents || cited));

ALTER TABLE feedback
    ADD COLUMN review      text NOT NULL DEFAULT 'open' CHECK (review IN ('open', 'approved', 'rejected')),
    ADD COLUMN example_id  text,
    ADD COLUMN reviewed_at timestamptz;

CREATE INDEX feedback_to_review ON feedback (tenant, review, created_at DESC, id);

-- What examples said when a set took them, once per wording. The key is the SHA-256 of the content.
CREATE TABLE example_contents (
    tenant    text   NOT NULL,
    digest    text   NOT NULL,
    content   jsonb  NOT NULL,
    documents text[] NOT NULL,
    PRIMARY KEY (tenant, digest)
);

CREATE INDEX example_contents_by_document ON example_contents USING gin (documents);

CREATE TABLE training_sets (
    tenant     text        NOT NULL,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    digest     text        NOT NULL,
    settings   jsonb       NOT NULL,
    counts     jsonb       NOT NULL,
    withdrawn  integer     NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX training_sets_whole ON training_sets (tenant, digest) WHERE withdrawn = 0;

CREATE TABLE training_set_members (
    tenant     text NOT NULL,
    set_id     uuid NOT NULL,
    example_id text NOT NULL,
    split      text NOT NULL CHECK (split IN ('train', 'validation', 'held-out')),
    source     text NOT NULL CHECK (source IN ('import', 'topic', 'feedback', 'generated')),
    digest     text NOT NULL,
    PRIMARY KEY (tenant, set_id, example_id),
    FOREIGN KEY (tenant, set_id) REFERENCES training_sets ON DELETE CASCADE,
    FOREIGN KEY (tenant, digest) REFERENCES example_contents ON DELETE CASCADE
);

CREATE INDEX training_set_members_by_content ON training_set_members (tenant, digest);

-- The yardstick of the gate: what an example said when it first fell into the held-out split. Later wordings do not replace it.
CREATE TABLE held_out (
    tenant     text        NOT NULL,
    example_id text        NOT NULL,
    source     text        NOT NULL,
    digest     text        NOT NULL,
    frozen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, example_id),
    FOREIGN KEY (tenant, digest) REFERENCES example_contents ON DELETE CASCADE
);

CREATE INDEX held_out_by_content ON held_out (tenant, digest);

-- Never filled until now.
DROP TABLE jobs;
DROP TABLE schedules;

CREATE TABLE jobs (
    tenant            text        NOT NULL,
    id                uuid        NOT NULL DEFAULT gen_random_uuid(),
    adapter           text        NOT NULL,
    state             text        NOT NULL CHECK (state IN
        ('QUEUED', 'PREPARING', 'TRAINING', 'EVALUATING', 'PROMOTED', 'REJECTED', 'UNCHANGED', 'REFUSED', 'FAILED', 'CANCELLED')),
    priority          integer     NOT NULL,
    settings          jsonb       NOT NULL,
    schedule          text,
    set_id            uuid,
    cancel_requested  boolean     NOT NULL DEFAULT false,
    attempts          integer     NOT NULL DEFAULT 0,
    progress          jsonb,
    forecast          jsonb,
    notes             jsonb       NOT NULL DEFAULT '[]',
    message           text,
    report            jsonb,
    candidate         text,
    champion          text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX jobs_newest_first ON jobs (tenant, created_at DESC, id);

CREATE TABLE job_losses (
    tenant        text             NOT NULL,
    job_id        uuid             NOT NULL,
    split         text             NOT NULL CHECK (split IN ('train', 'validation')),
    step          integer          NOT NULL,
    loss          double precision NOT NULL,
    learning_rate double precision,
    PRIMARY KEY (tenant, job_id, split, step),
    FOREIGN KEY (tenant, job_id) REFERENCES jobs ON DELETE CASCADE
);

-- Which documents a job's model has read, so that it can be told after a deletion; kept when the documents are gone.
CREATE TABLE job_documents (
    tenant      text NOT NULL,
    document_id text NOT NULL,
    job_id      uuid NOT NULL,
    PRIMARY KEY (tenant, document_id, job_id),
    FOREIGN KEY (tenant, job_id) REFERENCES jobs ON DELETE CASCADE
);

CREATE TABLE withdrawn_documents (
    tenant       text        NOT NULL,
    document_id  text        NOT NULL,
    examples     integer     NOT NULL,
    withdrawn_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, document_id)
);

CREATE TABLE schedules (
    tenant     text        NOT NULL,
    name       text        NOT NULL,
    adapter    text        NOT NULL,
    cron       text        NOT NULL,
    zone       text        NOT NULL,
    priority   integer     NOT NULL,
    settings   jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_fired timestamptz,
    last_job   uuid,
    PRIMARY KEY (tenant, name)
);

-- Tables of db-scheduler, as its documentation gives them: jobs that wait or run, and schedules that wait for their time. Apart, because
-- each has threads of its own: a job that trains for hours must not hold up a schedule, nor a second job start beside it.
CREATE TABLE job_queue (
    task_name            text        NOT NULL,
    task_instance        text        NOT NULL,
    task_data            bytea,
    execution_time       timestamptz,
    picked               boolean     NOT NULL,
    picked_by            text,
    last_success         timestamptz,
    last_failure         timestamptz,
    consecutive_failures integer,
    last_heartbeat       timestamptz,
    version              bigint      NOT NULL,
    priority             smallint,
    state                text,
    PRIMARY KEY (task_name, task_instance)
);

CREATE INDEX job_queue_due ON job_queue (priority DESC, execution_time ASC);
CREATE INDEX job_queue_heartbeat ON job_queue (last_heartbeat);

CREATE TABLE schedule_queue (LIKE job_queue INCLUDING ALL);
