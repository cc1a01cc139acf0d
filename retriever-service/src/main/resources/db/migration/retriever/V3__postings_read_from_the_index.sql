-- A search reads the postings of its terms from the index alone: among 100,000 chunks a common term has tens of thousands, each in another
-- page of the table. Lists of principals may be too long for an index entry, so what is not open to everyone stays apart.
create index postings_open on postings (tenant, term) include (chunk_id, frequency, chunk_length) where acl is null;
create index postings_restricted on postings (tenant, term) where acl is not null;
drop index postings_by_term;
-- Only pages that were vacuumed since they were written are spared; the default waits until a fifth of the table is new.
alter table postings set (autovacuum_vacuum_insert_scale_factor = 0.02);
