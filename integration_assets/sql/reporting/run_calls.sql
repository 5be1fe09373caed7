-- Calls of a run.
-- grain: one endpoint; key: system, endpoint
-- inputs: ops.api_calls; parameter 1: run id
SELECT
    system,
    endpoint,
    total,
    writes,
    retried,
    throttled
FROM ops.api_calls
WHERE run_id = $1
ORDER BY system, endpoint
