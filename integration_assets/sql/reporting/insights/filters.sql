-- What rankings can be filtered by.
-- grain: one value of one filter; key: filter, value
-- inputs: ranked.feature_requests, ranked.companies, ranked.company_segments
SELECT
    'status' AS filter,
    status AS value,
    count(*) AS requests
FROM ranked.feature_requests
WHERE status IS NOT NULL
GROUP BY status
UNION ALL
SELECT
    'board' AS filter,
    board AS value,
    count(*) AS requests
FROM ranked.feature_requests
WHERE board IS NOT NULL
GROUP BY board
UNION ALL
SELECT
    'category' AS filter,
    category AS value,
    count(*) AS requests
FROM ranked.feature_requests
WHERE category IS NOT NULL
GROUP BY category
UNION ALL
SELECT
    'tag' AS filter,
    tags.tag AS value,
    count(*) AS requests
FROM (SELECT unnest(tags) AS tag FROM ranked.feature_requests) AS tags
GROUP BY tags.tag
UNION ALL
SELECT
    'lifecycle' AS filter,
    lifecycle AS value,
    count(*) AS requests
FROM ranked.companies
GROUP BY lifecycle
UNION ALL
SELECT
    'owner' AS filter,
    owner AS value,
    count(*) AS requests
FROM ranked.companies
WHERE owner IS NOT NULL
GROUP BY owner
UNION ALL
SELECT
    'renewal' AS filter,
    'known' AS value,
    count(*) AS requests
FROM ranked.companies
HAVING count(renewal_date) > 0
UNION ALL
SELECT
    'segment' AS filter,
    property || '=' || value AS value,
    count(*) AS requests
FROM ranked.company_segments
GROUP BY property, value
ORDER BY filter ASC, value ASC
