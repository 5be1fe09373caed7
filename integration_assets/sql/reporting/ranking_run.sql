-- The run that made the ranking: the newest whose summary names requests of it. An undo makes none.
-- grain: one run; key: run_id
-- inputs: ops.runs
SELECT run_id
FROM ops.runs
WHERE json_array_length(summary, '$.top.by_arr') > 0
ORDER BY started_at DESC, run_id ASC
LIMIT 1
