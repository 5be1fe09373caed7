-- The requests just before and after one in both rankings: what it would take to change places.
-- grain: one request and ranking; key: ranking, request_id
-- inputs: ranked.feature_requests
WITH this AS (
    SELECT
        rank_by_arr,
        rank_by_companies
    FROM ranked.feature_requests
    WHERE request_id = $request_id
)

SELECT
    'arr' AS ranking,
    requests.rank_by_arr AS place,
    requests.request_id,
    requests.title,
    requests.companies,
    requests.arr,
    requests.companies_without_rate,
    requests.status
FROM ranked.feature_requests AS requests
CROSS JOIN this
WHERE abs(requests.rank_by_arr - this.rank_by_arr) <= 1
UNION ALL
SELECT
    'companies' AS ranking,
    requests.rank_by_companies AS place,
    requests.request_id,
    requests.title,
    requests.companies,
    requests.arr,
    requests.companies_without_rate,
    requests.status
FROM ranked.feature_requests AS requests
CROSS JOIN this
WHERE abs(requests.rank_by_companies - this.rank_by_companies) <= 1
ORDER BY ranking ASC, place ASC
