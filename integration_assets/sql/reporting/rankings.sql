-- The ranking as a terminal shows it.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests
-- $by: arr | companies | votes; $most_rows; $everything: requests that are closed as well
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
    rank_gap,
    companies_without_rate,
    open_pipeline,
    arr_customers,
    arr_prospects,
    url,
    crm_url
FROM ranked.feature_requests
WHERE is_open OR $everything
ORDER BY CASE $by WHEN 'arr' THEN rank_by_arr WHEN 'companies' THEN rank_by_companies ELSE rank_by_votes END
LIMIT $most_rows
