-- The last run, and what its figures are in.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT
    run_id,
    currency,
    finished_at,
    state
FROM ops.runs
ORDER BY started_at DESC
LIMIT 1
