-- The ranking as a terminal shows it, by ARR or by companies.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests; parameters: by (arr | companies), most_rows, open_only
SELECT
    request_id,
    title,
    status,
    companies,
    customers,
    arr,
    votes,
    rank_by_arr,
    rank_by_companies,
    rank_by_votes,
    rank_gap
FROM ranked.feature_requests
WHERE is_open OR NOT $open_only
ORDER BY if($by = 'arr', rank_by_arr, rank_by_companies)
LIMIT $most_rows
