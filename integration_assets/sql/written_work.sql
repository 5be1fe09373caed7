-- What a run has sent to the CRM: records, and pairs of records.
-- grain: one action and target (null for records); key: action, target
-- inputs: sync.ledger; parameter 1: run id
WITH sent AS (
    SELECT DISTINCT
        action,
        target,
        target_id,
        lower(key) AS key
    FROM sync.ledger
    WHERE run_id = $1
),

created AS (
    SELECT DISTINCT key AS created_key FROM sent
    WHERE action = 'create'
)

SELECT
    sent.action,
    sent.target,
    count(*) AS items,
    count(DISTINCT sent.key) AS records,
    count(DISTINCT CASE WHEN created.created_key IS NULL THEN sent.key END) AS old_records
FROM sent
LEFT JOIN created ON sent.key = created.created_key
GROUP BY sent.action, sent.target
ORDER BY sent.action, sent.target
