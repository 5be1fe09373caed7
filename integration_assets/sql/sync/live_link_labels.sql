-- How many labels of ours the live records of our source carry now; plain links where the portal has no labels.
-- grain: one row
-- inputs: raw.crm_links, raw.crm_feature_requests; variables source, labels, unlabelled
SELECT count(*) AS labels
FROM raw.crm_links AS live
INNER JOIN raw.crm_feature_requests AS held ON live.record_id = held.record_id
WHERE
    NOT held.archived
    AND starts_with(lower(held.key), lower(getvariable('source') || ':'))
    AND (list_contains(getvariable('labels'), live.label) OR (getvariable('unlabelled') AND live.label = 'plain'))
