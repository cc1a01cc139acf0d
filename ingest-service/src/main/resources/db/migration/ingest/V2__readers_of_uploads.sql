-- Who may read the upload that waits: until it is the latest version, acl is that of the version before.
alter table documents add column upload_acl text[] not null default '{}';
