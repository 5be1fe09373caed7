-- Open requests by votes and by ARR, as far as they are among the first of either.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests
-- $most: the last place that counts as one of the first
SELECT
    request_id,
    title,
    rank_by_votes,
    rank_by_arr
FROM ranked.feature_requests
WHERE is_open AND (rank_by_votes <= $most OR rank_by_arr <= $most)
ORDER BY rank_by_arr
