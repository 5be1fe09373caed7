-- How far the runs of an environment have come: plans made, syncs ended well, and the newest run that planned.
-- grain: one row
-- inputs: ops.runs
SELECT
    count(*) FILTER (WHERE plan_hash IS NOT NULL AND mode IN ('sync', 'dry_run')) AS plans,
    count(*) FILTER (WHERE mode = 'sync' AND state IN ('SUCCEEDED', 'SUCCEEDED_WITH_REJECTS')) AS synced,
    -- a run that a wrong clock dated ahead is not the newest; clocks of two machines differ by less than five minutes
    max_by(run_id, (started_at <= make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE, started_at)) FILTER (
        WHERE mode IN ('sync', 'dry_run')
    ) AS newest
FROM ops.runs
