-- What a sweep has tried so far, in its order.
ALTER TABLE jobs ADD COLUMN trials jsonb NOT NULL DEFAULT '[]';
