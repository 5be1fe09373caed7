-- resolved.ranked_requests: what the rankings say of a request, as it was when they were made.
-- grain: one request; key: request_no
-- inputs: resolved.requests, raw.feature_requests
-- $open_statuses: statuses of open requests

SELECT
    requests.request_no,
    requests.request_id,
    details.title,
    details.status,
    list_contains($open_statuses, coalesce(details.status, 'unknown')) AS is_open
FROM resolved.requests AS requests
INNER JOIN raw.feature_requests AS details ON requests.request_id = details.request_id
