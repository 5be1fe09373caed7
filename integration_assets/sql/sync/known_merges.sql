-- Requests merged into one that the source still has, directly or through further merges.
-- grain: one merged request; key: key
-- inputs: raw.merge_aliases, ranked.feature_requests; variable key_prefix
SELECT DISTINCT lower(getvariable('key_prefix') || aliases.merged_request_id) AS key
FROM raw.merge_aliases AS aliases
WHERE
    aliases.request_id IN (SELECT request_id FROM ranked.feature_requests)
    OR aliases.request_id IN (SELECT merged_request_id FROM raw.merge_aliases)
