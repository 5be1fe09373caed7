-- How many records and companies a run has sent to the CRM, each once however often it was sent.
-- grain: one action; key: action
-- inputs: sync.ledger; parameter 1: run id
SELECT
    action,
    count(DISTINCT lower(key)) AS records
FROM sync.ledger
WHERE run_id = $1 AND action IN ('create', 'update', 'retire', 'roll_up')
GROUP BY action
ORDER BY action
