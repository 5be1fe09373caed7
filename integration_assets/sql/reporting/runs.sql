-- Runs, newest first, as far as they begin with an id.
-- grain: one run; key: run_id
-- inputs: ops.runs; parameter 1: beginning of the run id
SELECT
    run_id,
    error,
    summary::VARCHAR AS summary
FROM ops.runs
WHERE starts_with(run_id, $1)
-- a run that a wrong clock dated ahead is not the newest; clocks of two machines differ by less than five minutes
ORDER BY started_at > make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE ASC, started_at DESC, run_id ASC
LIMIT 2
