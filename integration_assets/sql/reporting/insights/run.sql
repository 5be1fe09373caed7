-- One run with its summary.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT
    run_id,
    mode,
    error,
    finished_at,
    summary::VARCHAR AS summary
FROM ops.runs
WHERE run_id = $run_id
