-- How many records a plan changes each field of, beyond what a released plan already changed to the same value.
-- grain: one field; key: field
-- inputs: sync.plan_operations; variables plan_id, released_plan_id ('' for none)
WITH changes AS (
    SELECT
        plan_id,
        key,
        unnest(map_entries(after_values)) AS entry
    FROM sync.plan_operations
    WHERE
        action = 'update'
        AND plan_id IN (getvariable('plan_id'), getvariable('released_plan_id'))
),

planned AS (
    SELECT
        key,
        entry
    FROM changes
    WHERE plan_id = getvariable('plan_id')
    EXCEPT
    SELECT
        key,
        entry
    FROM changes
    WHERE plan_id = getvariable('released_plan_id')
)

SELECT
    entry.key AS field,
    count(*) AS records
FROM planned
GROUP BY entry.key
