-- A plan by its hash; of several of the same hash the newest.
-- grain: one plan; key: plan_id
-- inputs: ops.plans
SELECT
    plan_id,
    hash,
    kind,
    status,
    portal_id,
    created_at,
    held_reasons,
    counts::VARCHAR AS counts,
    approved_at
FROM ops.plans
WHERE hash = $hash
ORDER BY created_at DESC
LIMIT 1
