-- What waits to be told to owners: each request with the companies of theirs that asked, most ARR first.
-- grain: one request and owner; key: owner, request_id
-- inputs: sync.shipped_posts, ranked.feature_requests, ranked.company_requests, ranked.companies
SELECT
    posts.owner,
    requests.request_id,
    requests.title,
    list(
        coalesce(companies.company_name, companies.domain, companies.company_id)
        ORDER BY companies.arr DESC NULLS LAST, companies.company_id ASC
    ) AS company_names,
    sum(pairs.votes)::BIGINT AS voters
FROM sync.shipped_posts AS posts
INNER JOIN ranked.feature_requests AS requests ON posts.request_id = requests.request_id
INNER JOIN ranked.company_requests AS pairs ON posts.request_id = pairs.request_id
INNER JOIN ranked.companies AS companies
    ON pairs.company_id = companies.company_id AND posts.owner = coalesce(companies.owner, '')
WHERE
    posts.state = 'waiting'
    -- it may have been taken back since
    AND requests.status = 'complete'
GROUP BY posts.owner, requests.request_id, requests.title, requests.arr
ORDER BY posts.owner = '', posts.owner ASC, requests.arr DESC, requests.request_id ASC
