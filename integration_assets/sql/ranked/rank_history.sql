-- ranked.rank_history, asset ranking_history: today's row set of it.
-- grain: one request of one snapshot; key: as_of, request_id
-- inputs: ranked.feature_requests
-- $as_of: moment of the snapshot, UTC

SELECT
    $as_of::TIMESTAMP AS as_of,
    request_id,
    rank_by_arr,
    rank_by_companies,
    companies,
    arr,
    companies_without_rate
FROM ranked.feature_requests
ORDER BY rank_by_arr
