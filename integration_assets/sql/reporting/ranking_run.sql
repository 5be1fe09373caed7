-- The run that made the ranking: the newest whose summary names requests of it. An undo makes none.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT run_id
FROM ops.runs
WHERE json_array_length(summary, '$.top.by_arr') > 0
-- a run that a wrong clock dated ahead is not the newest; clocks of two machines differ by less than five minutes
ORDER BY started_at > make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE ASC, started_at DESC, run_id ASC
LIMIT 1
