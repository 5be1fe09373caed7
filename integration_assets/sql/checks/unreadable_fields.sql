-- Optional fields that a run could not read, with the records that are used without them.
-- grain: one field; key: field
-- inputs: ops.unreadable_fields; parameter 1: run id
SELECT
    field,
    records,
    examples,
    reason
FROM ops.unreadable_fields
WHERE run_id = $1
ORDER BY
    records DESC,
    field ASC
