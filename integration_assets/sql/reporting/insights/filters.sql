-- What rankings can be filtered by.
-- grain: one value of one filter; key: filter, value
-- inputs: ranked.feature_requests
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
ORDER BY filter ASC, value ASC
