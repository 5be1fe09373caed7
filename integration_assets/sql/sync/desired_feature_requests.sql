-- What the CRM should say about each feature request.
-- grain: one feature request of the source; key: key
-- inputs: ranked.feature_requests, raw.feature_requests; variable key_prefix: what is before an id in its key
SELECT
    lower(getvariable('key_prefix') || ranked_requests.request_id) AS key,
    ranked_requests.request_id,
    ranked_requests.title,
    ranked_requests.status,
    raw_requests.source_status,
    ranked_requests.url,
    ranked_requests.board,
    ranked_requests.category,
    raw_requests.details,
    ranked_requests.votes,
    ranked_requests.companies,
    ranked_requests.arr,
    ranked_requests.voter_domains,
    ranked_requests.created_at AS requested_at,
    ranked_requests.last_vote_at,
    split_part(getvariable('key_prefix') || ranked_requests.request_id, ':', 1) AS source
FROM ranked.feature_requests AS ranked_requests
LEFT JOIN raw.feature_requests AS raw_requests ON ranked_requests.request_id = raw_requests.request_id
