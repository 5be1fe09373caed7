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
ORDER BY filter ASC, value ASC
