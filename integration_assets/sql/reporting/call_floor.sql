-- The fewest calls that the work of a run takes.
-- grain: one system; key: system
-- inputs: ops.call_floors; parameter 1: run id
SELECT
    system,
    calls
FROM ops.call_floors
WHERE run_id = $1
ORDER BY system
