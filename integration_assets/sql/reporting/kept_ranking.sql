-- A ranking of the history, with the titles and statuses the requests have now, none where a request is gone by now.
-- grain: one request; key: request_id
-- inputs: ranked.rank_history, ranked.feature_requests
-- $as_of: moment of the snapshot, UTC; $by: arr | companies
SELECT
    history.as_of,
    history.request_id,
    requests.title AS title_now,
    requests.status AS status_now,
    requests.url,
    history.rank_by_arr,
    history.rank_by_companies,
    history.companies,
    history.arr,
    history.companies_without_rate
FROM ranked.rank_history AS history
LEFT JOIN ranked.feature_requests AS requests ON history.request_id = requests.request_id
WHERE history.as_of = $as_of::TIMESTAMP
ORDER BY if($by = 'arr', history.rank_by_arr, history.rank_by_companies)
