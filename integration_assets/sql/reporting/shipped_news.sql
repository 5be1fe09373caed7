-- Requests that shipped, with the owners who are to hear of it now, and those who wait to and need not any more.
-- grain: one request and owner; key: request_id, owner
-- inputs: ranked.feature_requests, ranked.company_requests, ranked.companies, sync.shipped_posts
-- is_new: the owner is to hear of it; else none of those who asked is a company of theirs any more
WITH askers AS (
    SELECT
        requests.request_id,
        coalesce(companies.owner, '') AS owner
    FROM ranked.feature_requests AS requests
    LEFT JOIN ranked.company_requests AS pairs ON requests.request_id = pairs.request_id
    LEFT JOIN ranked.companies AS companies ON pairs.company_id = companies.company_id
    WHERE requests.status = 'complete'
    GROUP BY ALL
),

-- of a request that is not shipped any more they are left as they are: it may ship again
replaced AS (
    SELECT
        posts.request_id,
        posts.owner
    FROM sync.shipped_posts AS posts
    SEMI JOIN askers AS shipped ON posts.request_id = shipped.request_id
    ANTI JOIN askers ON posts.request_id = askers.request_id AND posts.owner = askers.owner
    WHERE posts.state = 'waiting'
),

news AS (
    SELECT
        askers.request_id,
        askers.owner
    FROM askers
    ANTI JOIN sync.shipped_posts AS posts ON askers.request_id = posts.request_id AND askers.owner = posts.owner
    WHERE
        askers.request_id NOT IN (SELECT known.request_id FROM sync.shipped_posts AS known)
        -- whoever takes companies over hears of it only where the one before did not
        OR askers.request_id IN (SELECT replaced.request_id FROM replaced)
)

SELECT
    request_id,
    owner,
    TRUE AS is_new
FROM news
UNION ALL
SELECT
    replaced.request_id,
    replaced.owner,
    FALSE AS is_new
FROM replaced
-- without somebody in their place they go on waiting: their companies may be back in the next read
SEMI JOIN news ON replaced.request_id = news.request_id
