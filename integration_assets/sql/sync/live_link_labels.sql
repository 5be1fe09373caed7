-- How many labels of ours the live records of our source carry now.
-- grain: one row
-- inputs: raw.crm_links, raw.crm_feature_requests; variables source, labels
SELECT count(*) AS labels
FROM raw.crm_links AS live
INNER JOIN raw.crm_feature_requests AS held ON live.record_id = held.record_id
WHERE
    NOT held.archived
    AND starts_with(lower(held.key), lower(getvariable('source') || ':'))
    AND list_contains(getvariable('labels'), live.label)
