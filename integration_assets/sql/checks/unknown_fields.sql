-- Fields that the systems send and nobody documented, with the run that tells of each.
-- grain: one field; key: field
-- inputs: ops.unknown_fields
SELECT
    field,
    records,
    run_id
FROM ops.unknown_fields
ORDER BY
    records DESC,
    field ASC
