-- What a plan does beyond the rest of an interrupted plan that was released (or never held).
-- grain: one row
-- inputs: sync.plan_operations; variables plan_id, released_plan_id ('' for none)
WITH planned AS (
    SELECT *
    FROM sync.plan_operations
    WHERE plan_id = getvariable('plan_id')
),

released AS (
    SELECT *
    FROM sync.plan_operations
    WHERE plan_id = getvariable('released_plan_id')
),

new_operations AS (
    SELECT planned.*
    FROM planned
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM released
            WHERE
                released.action = planned.action
                AND released.key = planned.key
                AND released.target IS NOT DISTINCT FROM planned.target
                AND released.target_id IS NOT DISTINCT FROM planned.target_id
        )
)

SELECT
    count(*) FILTER (action = 'create') AS creates,
    -- a merged request lives on in another record: nothing is lost with it
    count(*) FILTER (action = 'retire' AND after_values['retired_reason'] <> 'merged') AS retirements,
    -- the plain association goes with labels; alone it counts as one
    coalesce(
        sum(greatest(1, len(list_filter(after_labels, LAMBDA label: label <> 'plain')))) FILTER (action = 'unlink'),
        0
    )::BIGINT AS unlinks
FROM new_operations
