-- The requests of one company with their places, a page of them, open ones first.
-- grain: one request; key: request_id
-- inputs: ranked.company_requests, ranked.feature_requests
-- $status: only those of this status, or `any_open`, NULL for all; $since: only those whose status is known
-- to be of this moment or later, NULL for all. found: how many fit.
SELECT
    pairs.request_id,
    pairs.title,
    pairs.status,
    pairs.votes,
    pairs.first_vote_at,
    pairs.last_vote_at,
    pairs.match_methods,
    requests.rank_by_arr,
    requests.rank_by_companies,
    requests.is_open,
    requests.status_changed_at,
    requests.url,
    requests.crm_url,
    count(*) OVER () AS found
FROM ranked.company_requests AS pairs
INNER JOIN ranked.feature_requests AS requests ON pairs.request_id = requests.request_id
WHERE
    pairs.company_id = $company_id
    AND (
        $status IS NULL
        OR requests.status = $status
        OR ($status = 'any_open' AND requests.is_open)
    )
    AND ($since::TIMESTAMP IS NULL OR requests.status_changed_at >= $since)
ORDER BY requests.is_open DESC, requests.rank_by_arr ASC
LIMIT
    $most_rows
    OFFSET $skipped
