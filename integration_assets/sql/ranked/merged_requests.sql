-- ranked.merged_requests: requests whose votes count for another one, as it was when the rankings were made.
-- grain: one request that was merged away; key: request_id
-- inputs: resolved.request_survivors, resolved.requests, raw.feature_requests, raw.merge_aliases, raw.votes,
--     resolved.counted_votes
-- $source_name: the feedback system where one is read; of several, each id begins with the name of its own
-- title and url are null where the feedback system no longer lists what it merged.

WITH merged_votes AS (
    SELECT
        votes.request_id,
        votes.vote_id
    FROM raw.votes AS votes
    SEMI JOIN resolved.request_survivors AS merged ON votes.request_id = merged.request_id
),

brought AS (
    SELECT
        merged_votes.request_id,
        count(*) AS votes
    FROM merged_votes
    -- a voter of both requests has one vote that counts
    SEMI JOIN resolved.counted_votes AS counted ON merged_votes.vote_id = counted.vote_id
    GROUP BY merged_votes.request_id
),

merged_by_systems AS (
    SELECT DISTINCT merged_request_id AS request_id
    FROM raw.merge_aliases
)

SELECT
    merged.request_id,
    CASE WHEN $source_name = '' THEN split_part(merged.request_id, ':', 1) ELSE $source_name END AS source,
    details.title,
    details.url,
    coalesce(brought.votes, 0) AS votes,
    merged.survivor_id AS merged_into,
    CASE WHEN merged_by_systems.request_id IS NULL THEN 'same_requests' ELSE 'feedback_system' END AS merged_by
FROM resolved.request_survivors AS merged
-- what was merged into a request that is gone counts for none
INNER JOIN resolved.requests AS requests ON merged.survivor_id = requests.request_id
LEFT JOIN raw.feature_requests AS details ON merged.request_id = details.request_id
LEFT JOIN brought ON merged.request_id = brought.request_id
LEFT JOIN merged_by_systems ON merged.request_id = merged_by_systems.request_id
