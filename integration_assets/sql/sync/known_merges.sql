-- Requests merged into one that the source still has, directly or through further merges, by the source or by a person.
-- grain: one merged request; key: key
-- inputs: raw.merge_aliases, resolved.request_survivors, ranked.feature_requests; variable key_prefix
SELECT DISTINCT lower(getvariable('key_prefix') || aliases.merged_request_id) AS key
FROM raw.merge_aliases AS aliases
WHERE
    aliases.request_id IN (SELECT request_id FROM ranked.feature_requests)
    OR aliases.request_id IN (SELECT merged_request_id FROM raw.merge_aliases)
UNION
SELECT lower(getvariable('key_prefix') || merged.request_id) AS key
FROM resolved.request_survivors AS merged
WHERE merged.survivor_id IN (SELECT request_id FROM ranked.feature_requests)
