-- The index: visible documents with their chunks, vectors and terms, and the parts of versions that are not complete yet.
-- Row-level security holds for the owner too. A transaction says for whom it reads:
--   tsumugi.tenant      the tenant; without it there are no rows
--   tsumugi.principals  text array of the principals whose documents may be read
--   tsumugi.reads_all   'true': documents of every ACL
-- In acl, null means everyone of the tenant.

-- Needs a superuser once when it is not there yet.
create extension if not exists vector;

create table documents (
    tenant      text        not null,
    document_id text        not null,
    version     bigint      not null,
    -- DELETED rows stay as tombstones, so that a late event of an older version changes nothing.
    state       text        not null check (state in ('INDEXED', 'DELETED')),
    generation  text        not null,
    title       text        not null,
    metadata    jsonb       not null,
    acl         text[],
    chunk_count integer     not null,
    updated_at  timestamptz not null,
    primary key (tenant, document_id)
);

create sequence chunk_ids increment by 50;

create table chunks (
    id           bigint      not null primary key,
    tenant       text        not null,
    document_id  text        not null,
    position     integer     not null,
    generation   text        not null,
    hash         text        not null,
    start_offset integer     not null,
    end_offset   integer     not null,
    heading      text        not null,
    text         text        not null,
    acl          text[],
    term_count   integer     not null,
    embedding    vector(384) not null,
    foreign key (tenant, document_id) references documents (tenant, document_id)
);
-- Beside the vector the text moves out of the row, not the vector, which an exact search reads.
alter table chunks alter column embedding set storage plain;
create index chunks_of_document on chunks (tenant, document_id);
create index chunks_by_embedding on chunks using hnsw (embedding vector_cosine_ops);

-- Inverted index for BM25. A tsvector with a GIN index cannot serve here: its match operator is not leakproof, so under row-level
-- security PostgreSQL would not use the index.
create table postings (
    tenant       text    not null,
    term         text    not null,
    chunk_id     bigint  not null references chunks (id) on delete cascade,
    frequency    integer not null,
    chunk_length integer not null,
    acl          text[]
);
create index postings_by_term on postings (tenant, term);
create index postings_by_chunk on postings (chunk_id);

-- Sums over chunks, for the lengths and document frequencies of BM25.
create table tenant_statistics (
    tenant text   not null primary key,
    chunks bigint not null,
    terms  bigint not null
);

create table staged_parts (
    tenant      text        not null,
    document_id text        not null,
    version     bigint      not null,
    generation  text        not null,
    part        integer     not null,
    event       bytea       not null,
    received_at timestamptz not null default now(),
    primary key (tenant, document_id, version, generation, part)
);


do $$
declare
    readable text := '(acl is null or (select current_setting(''tsumugi.reads_all'', true) = ''true'')'
        || ' or acl && (select nullif(current_setting(''tsumugi.principals'', true), '''')::text[]))';
    own_tenant text := 'tenant = (select current_setting(''tsumugi.tenant'', true))';
    name text;
begin
    foreach name in array array['documents', 'chunks', 'postings'] loop
        execute format('create policy readable on %I using (%s and %s)', name, own_tenant, readable);
    end loop;
    foreach name in array array['tenant_statistics', 'staged_parts'] loop
        execute format('create policy own_tenant on %I using (%s)', name, own_tenant);
    end loop;
    foreach name in array array['documents', 'chunks', 'postings', 'tenant_statistics', 'staged_parts'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
    end loop;
end
$$;
