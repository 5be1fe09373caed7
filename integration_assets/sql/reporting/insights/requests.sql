-- Requests of a ranking, filtered, one page of them.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests
-- $by: arr | companies | votes; $status, $board: "" for all; $words: what the title holds, "" for anything
SELECT
    request_id,
    title,
    status,
    board,
    companies,
    customers,
    arr,
    votes,
    unresolved_votes,
    rank_by_arr,
    rank_by_companies,
    rank_by_votes,
    rank_gap,
    companies_without_rate,
    open_pipeline,
    count(*) OVER () AS found
FROM ranked.feature_requests
WHERE
    (is_open OR NOT $open_only)
    AND ($status = '' OR status = $status)
    AND ($board = '' OR board = $board)
    AND contains(lower(title), lower($words))
ORDER BY CASE $by WHEN 'arr' THEN rank_by_arr WHEN 'companies' THEN rank_by_companies ELSE rank_by_votes END
LIMIT
    $most_rows
    OFFSET $skipped
