-- Request ids that appear more than once.
-- grain: one repeated id; key: repeated
-- inputs: raw.feature_requests
SELECT
    request_id AS repeated,
    count(*) AS times
FROM raw.feature_requests
GROUP BY request_id
HAVING count(*) > 1
ORDER BY repeated
