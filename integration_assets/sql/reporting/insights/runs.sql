-- Runs, newest first.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT
    run_id,
    mode,
    state,
    error,
    started_at,
    duration_seconds,
    plan_hash,
    held,
    requests_identified,
    votes_total,
    votes_matched,
    records_created,
    records_updated,
    links_created,
    links_removed,
    would_create,
    would_update,
    would_link,
    rejected,
    count(*) OVER () AS found
FROM ops.runs
-- a run that a wrong clock dated ahead is not the newest; clocks of two machines differ by less than five minutes
ORDER BY started_at > make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE ASC, started_at DESC, run_id ASC
LIMIT
    $most_rows
    OFFSET $skipped
