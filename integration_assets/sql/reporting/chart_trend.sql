-- Places by ARR over the newest snapshots, of the open requests that have the first places now.
-- grain: one request of one snapshot; key: request_id, as_of
-- inputs: ranked.feature_requests, ranked.rank_history
-- $lines: how many requests; $snapshots: how many snapshots
WITH newest AS (
    SELECT DISTINCT as_of
    FROM ranked.rank_history
    -- not what a clock that was ahead has noted
    WHERE as_of <= coalesce((SELECT max(ranked_now.as_of) FROM ranked.feature_requests AS ranked_now), as_of)
    ORDER BY as_of DESC
    LIMIT $snapshots
),

first AS (
    SELECT
        request_id,
        title,
        rank_by_arr
    FROM ranked.feature_requests
    WHERE is_open
    ORDER BY rank_by_arr
    LIMIT $lines
)

SELECT
    requests.request_id,
    requests.title,
    history.as_of,
    history.rank_by_arr
FROM first AS requests
INNER JOIN ranked.rank_history AS history ON requests.request_id = history.request_id
INNER JOIN newest ON history.as_of = newest.as_of
ORDER BY requests.rank_by_arr, history.as_of
