-- Requests whose place differs between two snapshots, the largest moves first, then new ones, then those that are gone;
-- with the titles and statuses the requests have now, none when a request is gone by now.
-- grain: one request; key: request_id
-- inputs: ranked.rank_history, ranked.feature_requests
-- $before, $latest: moments of the snapshots, UTC; $by: arr | companies; $most: most rows
-- $everything: requests that are closed as well; found: how many there are
WITH history AS (
    SELECT
        as_of,
        request_id,
        rank_by_arr,
        rank_by_companies,
        companies,
        arr,
        if($by = 'arr', rank_by_arr, rank_by_companies) AS place
    FROM ranked.rank_history
),

earlier AS (
    SELECT * FROM history
    WHERE as_of = $before::TIMESTAMP
),

later AS (
    SELECT * FROM history
    WHERE as_of = $latest::TIMESTAMP
)

SELECT
    coalesce(later.request_id, earlier.request_id) AS request_id,
    requests.title,
    earlier.rank_by_arr AS rank_by_arr_before,
    earlier.rank_by_companies AS rank_by_companies_before,
    earlier.companies AS companies_before,
    earlier.arr AS arr_before,
    later.rank_by_arr AS rank_by_arr_now,
    later.rank_by_companies AS rank_by_companies_now,
    later.companies AS companies_now,
    later.arr AS arr_now,
    requests.status,
    if(later.request_id IS NULL, 0, coalesce(requests.companies_without_rate, 0)) AS companies_without_rate,
    count(*) OVER () AS found
FROM earlier
FULL OUTER JOIN later ON earlier.request_id = later.request_id
LEFT JOIN ranked.feature_requests AS requests ON coalesce(later.request_id, earlier.request_id) = requests.request_id
WHERE
    earlier.place IS DISTINCT FROM later.place
    -- of a request that is gone nobody knows whether it is open, and it is news
    AND (coalesce(requests.is_open, TRUE) OR $everything)
ORDER BY
    CASE WHEN earlier.place IS NULL THEN 1 WHEN later.place IS NULL THEN 2 ELSE 0 END,
    coalesce(abs(earlier.place - later.place), 0) DESC,
    coalesce(later.place, earlier.place)
LIMIT $most
