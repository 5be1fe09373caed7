-- Requests that shipped and of which no owner has heard: by owner of the companies that asked.
-- grain: one request and owner; key: request_id, owner
-- inputs: ranked.feature_requests, ranked.company_requests, ranked.companies, sync.shipped_posts
SELECT
    requests.request_id,
    coalesce(companies.owner, '') AS owner
FROM ranked.feature_requests AS requests
LEFT JOIN ranked.company_requests AS pairs ON requests.request_id = pairs.request_id
LEFT JOIN ranked.companies AS companies ON pairs.company_id = companies.company_id
ANTI JOIN sync.shipped_posts AS posts ON requests.request_id = posts.request_id
WHERE requests.status = 'complete'
GROUP BY ALL
