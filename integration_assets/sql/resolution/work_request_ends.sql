-- grain: one request id, merged or not, whose votes count; key: request_id
-- inputs: resolved.requests, resolved.request_survivors

SELECT
    request_id,
    request_no
FROM resolved.requests
UNION ALL
SELECT
    merged.request_id,
    requests.request_no
FROM resolved.request_survivors AS merged
INNER JOIN resolved.requests AS requests ON merged.survivor_id = requests.request_id
