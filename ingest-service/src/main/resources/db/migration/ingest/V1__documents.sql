-- One row a document: its latest version, and the upload that waits to become the next.
create table documents (
    tenant           text        not null,
    id               text        collate "C" not null,
    version          bigint      not null,           -- 0: only an upload is there yet
    state            text        not null,
    deleted          boolean     not null default false,
    content_hash     text        not null default '',
    blob             text,                           -- SHA-256 of the content
    declared_type    text,
    file_name        text,
    given_title      text,
    metadata         jsonb       not null default '{}',
    acl              text[]      not null default '{}',
    title            text,                           -- as shown: given, or found in the content
    content_type     text,                           -- as found
    chunks           integer     not null default 0,
    error            text,
    published        boolean     not null default false,  -- all chunks of this version are in document-chunks
    source_partition integer,                        -- the record of document-ingest that made this version
    source_offset    bigint,
    source_time      bigint,
    upload           uuid,                           -- of the waiting upload
    upload_hash      text,
    upload_blob      text,
    upload_event     bytea,
    upload_at        timestamptz,
    updated_at       timestamptz not null,
    primary key (tenant, id)
);

create index documents_by_blob on documents (blob) where blob is not null;
create index documents_by_upload_blob on documents (upload_blob) where upload_blob is not null;
create index documents_by_upload_time on documents (upload_at) where upload is not null;
