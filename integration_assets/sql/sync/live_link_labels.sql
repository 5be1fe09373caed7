-- How many labels of ours the live records of our sources carry now; plain links where the portal has no labels.
-- grain: one row
-- inputs: raw.crm_links, raw.crm_feature_requests; variables key_prefixes, labels, unlabelled
SELECT count(*) AS labels
FROM raw.crm_links AS live
INNER JOIN raw.crm_feature_requests AS held ON live.record_id = held.record_id
WHERE
    NOT held.archived
    AND list_contains(getvariable('key_prefixes'), regexp_extract(lower(held.key), '^[^:]*:'))
    AND (list_contains(getvariable('labels'), live.label) OR (getvariable('unlabelled') AND live.label = 'plain'))
