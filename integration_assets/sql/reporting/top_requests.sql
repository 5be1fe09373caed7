-- The open requests that are first by ARR, companies or votes; places count requests that are closed as well.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests; parameters: by (arr | companies | votes), most_rows
SELECT
    request_id,
    title,
    companies,
    arr,
    companies_without_rate,
    status,
    CASE $by WHEN 'arr' THEN rank_by_arr WHEN 'companies' THEN rank_by_companies ELSE rank_by_votes END AS place,
    votes
FROM ranked.feature_requests
WHERE is_open
ORDER BY place
LIMIT $most_rows
