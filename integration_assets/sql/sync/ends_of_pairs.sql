-- How many links either end of some pairs had when it was last read.
-- grain: one record of ours, or one company or contact; key: is_record, end_id
-- inputs: raw.crm_links, incoming_rows (record_id, target_id); variable target
SELECT
    TRUE AS is_record,
    record_id AS end_id,
    count(DISTINCT target_id) AS links
FROM raw.crm_links
WHERE target = getvariable('target') AND record_id IN (SELECT incoming_rows.record_id FROM incoming_rows)
GROUP BY record_id
UNION ALL
SELECT
    FALSE AS is_record,
    target_id AS end_id,
    count(DISTINCT record_id) AS links
FROM raw.crm_links
WHERE target = getvariable('target') AND target_id IN (SELECT incoming_rows.target_id FROM incoming_rows)
GROUP BY target_id
