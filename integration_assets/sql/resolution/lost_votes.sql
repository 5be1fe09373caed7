-- resolved.lost_votes: votes on a request that is gone; quarantined. Requests of boards nobody asked for are not gone,
-- nor are those that the last read met and could not use: they are quarantined, and named with their votes.
-- grain: one vote; key: vote_id
-- inputs: raw.votes, raw.feature_requests, raw.excluded_requests, raw.reads, sync.quarantine,
--         resolved.request_survivors

WITH followed AS (
    SELECT
        votes.vote_id,
        votes.request_id,
        coalesce(merged.survivor_id, votes.request_id) AS final_request_id
    FROM raw.votes AS votes
    LEFT JOIN resolved.request_survivors AS merged ON votes.request_id = merged.request_id
)

SELECT
    vote_id,
    request_id,
    'request_gone' AS reason
FROM followed
WHERE
    NOT EXISTS (
        SELECT 1 FROM raw.feature_requests AS known
        WHERE known.request_id = followed.final_request_id
    )
    AND NOT EXISTS (
        SELECT 1 FROM raw.excluded_requests AS known
        WHERE known.request_id = followed.final_request_id
    )
    AND NOT EXISTS (
        SELECT 1 FROM sync.quarantine AS met
        WHERE
            met.key IN (followed.request_id, followed.final_request_id)
            AND met.stage = 'raw_feature_requests'
            AND met.kind IN ('feature_request', 'merged_request')
            -- of the last read only: what an earlier one could not use may be gone by now
            AND met.seen_at >= (
                SELECT max(reads.as_of) FROM raw.reads AS reads
                WHERE reads.input = 'feature_requests'
            )
    )
ORDER BY vote_id
