-- A generated question rests also on the documents of the example that it was taken from, whose id is behind its own 'unanswerable-'.
UPDATE example_contents generated
SET documents = generated.documents || origin.documents
FROM (SELECT m.tenant, m.digest, array_agg(DISTINCT document) AS documents
      FROM (SELECT tenant, example_id, digest FROM training_set_members WHERE source = 'generated'
            UNION SELECT tenant, example_id, digest FROM held_out WHERE source = 'generated') m
      JOIN (SELECT tenant, example_id, digest FROM training_set_members
            UNION SELECT tenant, example_id, digest FROM held_out) taken_from
          ON taken_from.tenant = m.tenant AND 'unanswerable-' || taken_from.example_id = m.example_id
      JOIN example_contents c ON c.tenant = taken_from.tenant AND c.digest = taken_from.digest
      CROSS JOIN LATERAL unnest(c.documents) AS document
      GROUP BY m.tenant, m.digest) origin
WHERE generated.tenant = origin.tenant AND generated.digest = origin.digest;
