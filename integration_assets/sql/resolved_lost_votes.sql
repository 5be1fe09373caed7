-- resolved.lost_votes: votes on a request that is gone; quarantined. Requests of boards nobody asked for are not gone.
-- grain: one vote; key: vote_id
-- inputs: raw.votes, raw.feature_requests, raw.excluded_requests, resolved.request_survivors

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
ORDER BY vote_id
