-- Places by ARR over the newest snapshots, of the requests that have the first places now.
-- grain: one request of one snapshot; key: request_id, as_of
-- inputs: ranked.feature_requests, ranked.rank_history
-- $lines: how many requests; $snapshots: how many snapshots
WITH newest AS (
    SELECT DISTINCT as_of
    FROM ranked.rank_history
    ORDER BY as_of DESC
    LIMIT $snapshots
)

SELECT
    requests.request_id,
    requests.title,
    history.as_of,
    history.rank_by_arr
FROM ranked.feature_requests AS requests
INNER JOIN ranked.rank_history AS history ON requests.request_id = history.request_id
INNER JOIN newest ON history.as_of = newest.as_of
WHERE requests.rank_by_arr <= $lines
ORDER BY requests.rank_by_arr, history.as_of
