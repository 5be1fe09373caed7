-- Open requests whose place by ARR changed most between the two last snapshots.
-- grain: one request; key: request_id
-- inputs: ranked.rank_history, ranked.feature_requests; parameter 1: most rows
WITH snapshots AS (
    SELECT
        as_of,
        row_number() OVER (ORDER BY as_of DESC) AS age
    FROM ranked.rank_history
    -- not what a clock that was ahead has noted
    WHERE as_of <= coalesce((SELECT max(ranked_now.as_of) FROM ranked.feature_requests AS ranked_now), as_of)
    GROUP BY as_of
),

dated AS (
    SELECT
        history.request_id,
        history.rank_by_arr,
        snapshots.age
    FROM ranked.rank_history AS history
    INNER JOIN snapshots ON history.as_of = snapshots.as_of AND snapshots.age <= 2
)

SELECT
    requests.title,
    requests.status,
    earlier.rank_by_arr AS rank_before,
    latest.rank_by_arr AS rank_now
FROM dated AS latest
INNER JOIN dated AS earlier ON latest.request_id = earlier.request_id AND earlier.age = 2
INNER JOIN ranked.feature_requests AS requests ON latest.request_id = requests.request_id
WHERE latest.age = 1 AND requests.is_open AND latest.rank_by_arr != earlier.rank_by_arr
ORDER BY abs(latest.rank_by_arr - earlier.rank_by_arr) DESC, latest.rank_by_arr ASC
LIMIT $1
