-- One request with all its numbers.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests
SELECT
    request_id,
    title,
    status,
    is_open,
    board,
    category,
    url,
    created_at,
    votes,
    voters,
    companies,
    customers,
    arr,
    companies_without_arr,
    companies_without_rate,
    votes_30d,
    companies_30d,
    first_vote_at,
    last_vote_at,
    unresolved_votes,
    voter_domains,
    rank_by_companies,
    rank_by_arr,
    rank_by_votes,
    rank_gap,
    arr_share,
    open_pipeline,
    arr_customers,
    arr_prospects,
    companies_without_lifecycle,
    crm_url
FROM ranked.feature_requests
WHERE request_id = $request_id
