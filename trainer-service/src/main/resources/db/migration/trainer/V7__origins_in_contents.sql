-- V5 gave generated questions the documents of the examples that they were taken from; what they say of themselves lacked these.
UPDATE example_contents c
SET content = jsonb_set(c.content, '{origins}', origin.documents)
FROM (SELECT tenant, digest, jsonb_agg(document ORDER BY document) AS documents
      FROM example_contents, unnest(documents) AS document
      WHERE jsonb_typeof(content -> 'origins') IS DISTINCT FROM 'array'
        AND document <> '' AND NOT content -> 'documents' @> to_jsonb(document) AND NOT content -> 'cited' @> to_jsonb(document)
      GROUP BY tenant, digest) origin
WHERE c.tenant = origin.tenant AND c.digest = origin.digest;
