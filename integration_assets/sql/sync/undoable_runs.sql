-- The runs that wrote, or may have written, into a CRM, and those that are known to have written nothing.
-- grain: one run and portal; key: run_id, portal_id
-- inputs: sync.ledger, sync.plans, ops.runs
WITH wrote AS (
    SELECT
        ledger.run_id,
        ledger.portal_id,
        coalesce(bool_or(plans.kind = 'undo'), FALSE) AS is_undo,
        min(ledger.intent_at) AS began_at,
        max(ledger.ledger_id) AS last_id
    FROM sync.ledger AS ledger
    LEFT JOIN sync.plans AS plans ON ledger.plan_id = plans.plan_id
    GROUP BY ledger.run_id, ledger.portal_id
),

known AS (
    SELECT run_id FROM sync.plans
    UNION
    SELECT run_id FROM ops.runs
)

SELECT
    run_id,
    portal_id,
    is_undo,
    began_at,
    last_id
FROM wrote
UNION ALL
SELECT
    run_id,
    -- runs without a write are listed as well, so that the user is told this and not that there is no such run
    NULL AS portal_id,
    FALSE AS is_undo,
    NULL AS began_at,
    NULL AS last_id
FROM known
WHERE run_id NOT IN (SELECT run_id FROM wrote)
ORDER BY last_id DESC NULLS LAST, run_id ASC
