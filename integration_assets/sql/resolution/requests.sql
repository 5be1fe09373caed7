-- resolved.requests: the requests votes can count for, numbered for this run.
-- grain: one request of the source, merged-away ones left out; key: request_no, and request_id
-- inputs: raw.feature_requests, resolved.request_survivors

SELECT
    row_number() OVER (ORDER BY requests.request_id)::INTEGER AS request_no,
    requests.request_id
FROM raw.feature_requests AS requests
-- a merged request may still be listed: its votes count for the one it lives on in
ANTI JOIN resolved.request_survivors AS merged ON requests.request_id = merged.request_id
