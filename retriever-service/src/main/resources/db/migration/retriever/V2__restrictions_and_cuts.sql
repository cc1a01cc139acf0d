-- Who may still read a document while a version that fewer may read is on its way, or after it failed.
create table restrictions (
    tenant      text   not null,
    document_id text   not null,
    -- The newest version that says so; the row goes when this version, or a later one, is visible.
    version     bigint not null,
    -- Only these; nobody when empty.
    acl         text[] not null,
    primary key (tenant, document_id)
);
create policy own_tenant on restrictions using (tenant = (select current_setting('tsumugi.tenant', true)));
alter table restrictions enable row level security;
alter table restrictions force row level security;

-- Parts of one version that was cut in two ways, by a restart under other settings, must not be mixed.
alter table staged_parts add column cut text not null default '';
alter table staged_parts drop constraint staged_parts_pkey;
alter table staged_parts add primary key (tenant, document_id, version, generation, cut, part);
