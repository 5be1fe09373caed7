-- Records a run could not use or write.
-- grain: one stage; key: stage
-- inputs: sync.quarantine; parameter 1: run id
SELECT
    stage,
    count(*) AS quarantined
FROM sync.quarantine
WHERE run_id = $1
GROUP BY stage
ORDER BY stage
