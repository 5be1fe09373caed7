-- The last run, and what its figures are in.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT
    run_id,
    currency,
    finished_at,
    state
FROM ops.runs
-- a run that a wrong clock dated ahead is not the newest; clocks of two machines differ by less than five minutes
ORDER BY started_at > make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE ASC, started_at DESC
LIMIT 1
