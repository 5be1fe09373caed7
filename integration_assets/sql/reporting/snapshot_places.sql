-- The places of one snapshot, with the titles the requests have now; a request that is gone by now has none.
-- grain: one request; key: request_id
-- inputs: ranked.rank_history, ranked.feature_requests
-- $as_of: moment of the snapshot, UTC
SELECT
    history.request_id,
    requests.title,
    history.rank_by_arr,
    history.rank_by_companies,
    history.companies,
    history.arr
FROM ranked.rank_history AS history
LEFT JOIN ranked.feature_requests AS requests ON history.request_id = requests.request_id
WHERE history.as_of = $as_of::TIMESTAMP
ORDER BY history.rank_by_arr
