-- What a run quarantined of one input, and why: the records whose key is known first.
-- grain: one record of one reason; key: kind, key, reason
-- inputs: sync.quarantine; parameters 1 and 2: run id, asset
SELECT
    kind,
    key,
    reason
FROM sync.quarantine
WHERE run_id = $1 AND stage = $2
-- few of the rows are shown: those without a key lead nobody to a record
ORDER BY trim(coalesce(key, '')) = '', kind ASC, key ASC, reason ASC
