-- Records a run could not use or write, each once, whatever the number of reasons.
-- grain: one stage; key: stage
-- inputs: sync.quarantine; parameter 1: run id
SELECT
    stage,
    count(DISTINCT row(kind, key)) AS quarantined
FROM sync.quarantine
WHERE run_id = $1
GROUP BY stage
ORDER BY stage
