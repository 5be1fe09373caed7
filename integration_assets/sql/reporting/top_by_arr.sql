-- The requests with most ARR behind them.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests; parameter 1: most rows
SELECT
    request_id,
    title,
    companies,
    arr,
    companies_without_rate
FROM ranked.feature_requests
ORDER BY rank_by_arr
LIMIT $1
